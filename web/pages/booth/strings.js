// Every sentence of the booth, in both languages. A key that is missing shows itself by name.

import { PROBLEMS } from "/shared/problems.js";

const STRINGS = {
  en: {
    title: "Step in and be drawn",
    invite: "Stand where the camera sees you from head to foot. Nothing is recorded unless you ask for it.",
    step_in_more: "Step in front of the camera.",
    start: "Start the camera",
    play_clip: "No camera? Play the sample clip",
    stop: "Stop",
    again: "Try again",
    loading: "Warming up",
    loading_more: "The worker is loading its networks. This takes a moment after the start.",
    asking: "Please allow the camera",
    asking_more: "Your browser is asking for it, usually at the top of the window.",
    connecting: "Connecting",
    connecting_more: "Your drawing appears in a moment.",
    live: "Live",
    silent: "No picture arrives",
    silent_more: "The camera is on but sends nothing. Is its lens covered, or another program using it?",
    full: "Every place is taken",
    full_more: "This is your place in the queue. You are let in by yourself; just stay here.",
    reconnecting: "Reconnecting",
    reconnecting_more: "The line was lost; your settings are kept.",
    blocked: "The network blocks the video",
    blocked_more: "Signalling works, but no path was found for the picture (UDP). Use the same network as the worker, or a relay.",
    refused: "The worker refused",
    denied: "The camera was not allowed",
    denied_more: "Click the camera symbol in the address bar, allow it, and try again.",
    absent: "No camera was found",
    absent_more: "Connect one and try again, or play the sample clip.",
    busy: "The camera is taken",
    busy_more: "Another program holds it. Close that program and try again.",
    insecure: "The browser hides the camera here",
    insecure_more: "Cameras work only on https:// addresses and on http://localhost. The sample clip works everywhere.",
    unknown: "The camera did not start",
    unknown_more: "Unplug it, plug it in, and try again.",
    unplugged: "The camera is gone",
    unplugged_more: "It was unplugged or switched off.",
    noclip: "The clip cannot be played",
    noclip_more: "This build has no sample clip, or the browser cannot decode it.",
    style: "Style", style_strength: "Strength", background: "Behind you", background_colour: "Colour", framing: "View", mirror: "Mirror",
    style_button: "Style", new_button: "New look", background_button: "Behind you", home_button: "Take it home", more_button: "More",
    own_look: "My own colours", hands: "Hands-free", own_picture: "Your own picture …", like_picture: "Like somebody in a picture …",
    own_picture_refused: "This picture cannot be used. JPEG, PNG and WebP can.",
    next_new: "New look in", next_background: "New background in", next_style: "New style in",
    step_in: "Step in front of the camera", step_back: "One step back, please", come_closer: "Come closer", go_left: "A step to your left", go_right: "A step to your right",
    figure_hint: "Where you stand in the camera's picture",
    get_ready: "Get ready", recording: "Recording", one_moment: "One moment …",
    taken: "Take it home", taken_more: "Point your phone's camera at the code, in the same network as this booth. Clip and picture are deleted after {minutes} minutes.",
    not_taken: "It did not work", code: "QR code that leads to your clip", done: "Done",
    plain: "Plain", picture: "Picture", blur: "Blur", room: "Room", figure: "Figure", scene: "Scene",
    photo_end: "photo", style_end: "drawing",
    fps: "{fps} fps", latency: "{ms} ms",
    notes: "Running on less than the best: {parts}",
    part_device: "the processor", part_person: "finding people", part_face: "faces", part_matte: "cutting out", part_style: "styles",
    why_device: "No graphics card was found, so the processor draws: fewer pictures a second.",
    why_person: "The best network for finding people is not here; the next best looks for them.",
    why_face: "The network for eyes and mouth is not here; near faces get no drawn eyes.",
    why_matte: "The best network for cutting people out is not here; the next best does it, with rougher edges.",
    why_style: "A style could not be used and was left out.",
    ...PROBLEMS.en,
  },
  ja: {
    title: "カメラの前で、絵になろう",
    invite: "頭から足まで映る位置に立ってください。頼まれない限り録画はしません。",
    step_in_more: "カメラの前に立ってください。",
    start: "カメラを始める",
    play_clip: "カメラがない場合はサンプルを再生",
    stop: "終了",
    again: "もう一度",
    loading: "準備中",
    loading_more: "モデルを読み込んでいます。少しお待ちください。",
    asking: "カメラを許可してください",
    asking_more: "ブラウザの上部に確認が表示されています。",
    connecting: "接続中",
    connecting_more: "まもなく絵が表示されます。",
    live: "ライブ",
    silent: "映像が届いていません",
    silent_more: "カメラは動いていますが映像がありません。レンズのカバーや他のアプリを確認してください。",
    full: "ただいま満員です",
    full_more: "順番待ちの番号です。空き次第つながります。このままお待ちください。",
    reconnecting: "再接続中",
    reconnecting_more: "接続が切れました。設定は保たれています。",
    blocked: "ネットワークが映像を遮断しています",
    blocked_more: "映像の経路（UDP）が見つかりません。同じネットワークを使うか、中継サーバーを設定してください。",
    refused: "サーバーに拒否されました",
    denied: "カメラが許可されていません",
    denied_more: "アドレスバーのカメラの印から許可して、もう一度お試しください。",
    absent: "カメラが見つかりません",
    absent_more: "カメラをつないでもう一度試すか、サンプルを再生してください。",
    busy: "カメラが使用中です",
    busy_more: "他のアプリを終了してから、もう一度お試しください。",
    insecure: "このアドレスではカメラを使えません",
    insecure_more: "カメラは https:// か http://localhost でのみ使えます。サンプルはどこでも再生できます。",
    unknown: "カメラを開始できません",
    unknown_more: "一度抜き差しして、もう一度お試しください。",
    unplugged: "カメラが外れました",
    unplugged_more: "接続と電源を確認してください。",
    noclip: "サンプルを再生できません",
    noclip_more: "サンプルが含まれていないか、ブラウザが対応していません。",
    style: "スタイル", style_strength: "強さ", background: "背景", background_colour: "色", framing: "画角", mirror: "左右反転",
    style_button: "スタイル", new_button: "別の姿", background_button: "背景", home_button: "持ち帰る", more_button: "その他",
    own_look: "自分の色に戻す", hands: "手を使わない", own_picture: "自分の画像を選ぶ…", like_picture: "画像の人の姿を借りる…",
    own_picture_refused: "この画像は使えません。JPEG・PNG・WebP を選んでください。",
    next_new: "別の姿まで", next_background: "次の背景まで", next_style: "次のスタイルまで",
    step_in: "カメラの前に立ってください", step_back: "一歩下がってください", come_closer: "もう少し近くへ", go_left: "左へ一歩", go_right: "右へ一歩",
    figure_hint: "カメラに映っている位置",
    get_ready: "準備はいいですか", recording: "録画中", one_moment: "少々お待ちください…",
    taken: "持ち帰る", taken_more: "このブースと同じネットワークのスマートフォンでコードを読み取ってください。動画と写真は{minutes}分後に削除されます。",
    not_taken: "うまくいきませんでした", code: "動画へのQRコード", done: "完了",
    plain: "無地", picture: "絵", blur: "ぼかし", room: "部屋", figure: "人物", scene: "全体",
    photo_end: "写真", style_end: "絵",
    fps: "{fps} fps", latency: "{ms} ms",
    notes: "一部が代替手段で動いています：{parts}",
    part_device: "処理装置", part_person: "人物の検出", part_face: "顔", part_matte: "切り抜き", part_style: "スタイル",
    why_device: "GPU が見つからないため CPU で描いています。毎秒の枚数が少なくなります。",
    why_person: "人物を見つける最良のモデルがないため、次善のモデルを使っています。",
    why_face: "目と口のモデルがないため、近い顔でも描いた目は付きません。",
    why_matte: "人物を切り抜く最良のモデルがないため、次善の方法を使っています。輪郭が粗くなります。",
    why_style: "使えないスタイルがあったため、除いています。",
    ...PROBLEMS.ja,
  },
};

const KEY = "stylizer.language";
let language = localStorage.getItem(KEY) ?? (navigator.language.startsWith("ja") ? "ja" : "en");

export const languages = { en: "English", ja: "日本語" };
export const currentLanguage = () => language;

export function chooseLanguage(code) {
  language = code;
  localStorage.setItem(KEY, code);
}

/** All keys of the language, sorted. */
export const keys = () => Object.keys(STRINGS[language]).sort();

export const has = (key) => key in STRINGS[language];

/** The sentence for `key`, with {name} replaced from `values`. */
export function t(key, values = {}) {
  const text = STRINGS[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
