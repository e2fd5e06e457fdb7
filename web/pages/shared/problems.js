// What a refusal means to the person at the page, by the `code` of its kind (stylizer/errors.py, web/errors.py). The
// worker's own sentence is English and for whoever mends it: pages show it small, below.

export const PROBLEMS = {
  en: {
    problem_error: "Something went wrong. Please try again.",
    problem_unanswered: "The worker does not answer. Is it running?",
    problem_bad_input: "This cannot be used as it is.",
    problem_unreadable: "This file cannot be read.",
    problem_too_large: "This is too large.",
    problem_model_missing: "The weights for this are not here yet.",
    problem_model_rejected: "The weights for this cannot be used.",
    problem_not_found: "This is not here any more.",
    problem_no_capacity: "Everything is busy just now. Please try again in a moment.",
    problem_unavailable: "A part that is needed is not there just now. Please try again in a moment.",
    problem_wrong_token: "This address does not have the right key.",
    problem_foreign_origin: "This address may not be used. Open the page by the address that the terminal printed.",
    problem_too_many_requests: "That was too fast. Please wait a moment.",
    problem_too_slow: "The line was too slow. Please try again.",
  },
  ja: {
    problem_error: "問題が起きました。もう一度お試しください。",
    problem_unanswered: "サーバーが応答しません。起動しているか確認してください。",
    problem_bad_input: "このままでは使えません。",
    problem_unreadable: "このファイルは読み取れません。",
    problem_too_large: "サイズが大きすぎます。",
    problem_model_missing: "必要なモデルがまだありません。",
    problem_model_rejected: "必要なモデルを使用できません。",
    problem_not_found: "すでに存在しません。",
    problem_no_capacity: "ただいま混み合っています。少し待ってからもう一度お試しください。",
    problem_unavailable: "必要な機能が一時的に使えません。少し待ってからもう一度お試しください。",
    problem_wrong_token: "このアドレスには正しいキーがありません。",
    problem_foreign_origin: "このアドレスからは使えません。ターミナルに表示されたアドレスで開いてください。",
    problem_too_many_requests: "操作が速すぎます。少しお待ちください。",
    problem_too_slow: "通信が遅すぎました。もう一度お試しください。",
  },
};

/** The key of the words for an error: a Refusal, a message from the worker, or what fetch throws when nobody answers. */
export function problem(error) {
  const key = `problem_${error.code}`;
  if (key in PROBLEMS.en) return key;
  return error instanceof TypeError ? "problem_unanswered" : "problem_error";
}
