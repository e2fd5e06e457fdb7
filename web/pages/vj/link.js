// The control page's line to the stage: a WebSocket that says hello, comes back by itself, and keeps only the newest
// change of each control while the screen has not been drawn anew.

import { waitMs } from "/shared/retry.js";

const WRONG_KEY = 4401;

export class Link {
  #key; #on; #onState; #socket = null; #attempt = 0; #changes = {}; #frame = 0;

  /** on: {type: (message) => …}. onState(state): connecting, live, lost or key (the key is not this show's). */
  constructor(key, on, onState) {
    this.#key = key;
    this.#on = on;
    this.#onState = onState;
    this.#open();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Controls; one message for each drawn frame, however fast a finger is. */
  set(changes) {
    Object.assign(this.#changes, changes);
    this.#frame ||= setTimeout(() => {
      this.#frame = 0;
      this.send({ type: "set", changes: this.#changes });
      this.#changes = {};
    }, 16); // not an animation frame: those rest in hidden windows
  }

  #open() {
    this.#onState(this.#attempt ? "lost" : "connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/stage`);
    this.#socket = socket;
    socket.onopen = () => this.send({ type: "hello", key: this.#key });
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "welcome") {
        this.#attempt = 0;
        this.#onState("live");
      }
      this.#on[message.type]?.(message);
    };
    socket.onclose = ({ code }) => {
      if (code === WRONG_KEY) return this.#onState("key");
      this.#onState("lost");
      setTimeout(() => this.#open(), waitMs(this.#attempt++));
    };
  }
}
