// The worker's REST routes. A refusal becomes a Refusal with the worker's own code and sentence.

export class Refusal extends Error {
  /** data: the whole answer, for those that say more than code and message. */
  constructor(status, code, message, data = {}) {
    super(message);
    this.data = data;
    this.status = status;
    this.code = code;
  }
}

export const ANSWER_MS = 6000; // for what is answered at once: a network in between may never answer, and the next try does better

/** Sends one request; a `body` that is a Blob goes as it is, others as JSON. `token`: the stream's, if it has one. `withinMs`: given up after that. Throws Refusal, or TypeError when nobody answers. */
export async function call(method, path, { body, token, keepalive = false, withinMs } = {}) {
  const headers = {};
  const plain = body instanceof Blob;
  if (body !== undefined && !plain) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers, keepalive, signal: withinMs && AbortSignal.timeout(withinMs), cache: "no-store", body: plain ? body : body && JSON.stringify(body) });
  if (answer.status === 204) return null;
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, data.code ?? "error", data.message ?? answer.statusText, data);
  return data;
}
