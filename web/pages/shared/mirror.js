// A live stream as the page sees it: sends a MediaStream, plays the stylized one, mends the line by itself.
//
// States told to `onState(state, detail)`: connecting, live, silent (the camera sends nothing), full (detail: one's
// place in the queue), loading, reconnecting, blocked (no path through the network), refused (detail: the worker's
// sentence, and third the code of its kind).

import { ANSWER_MS, call, Refusal } from "./api.js";
import { waitMs } from "./retry.js";

const BUSY_MS = 3000; // between two asks for a place
const BEAT_MS = 1000;
const STALL_MS = 3000; // no new picture for this long: a new connection
const PACE_STEP = 0.2; // smaller changes of the wanted rate are ignored
const SILENT = 5; // of the worker's statistics, one a second, without a new camera picture: it only repeats the last one
const AWAY = [502, 503, 504]; // the worker loads, or a proxy finds none; a moment later there is one
const CONNECT_MS = 8000;
const GATHER_MS = 1000; // without STUN all candidates are there at once; a dead relay must not hold everything up
const START_KBIT = 1500; // Chromium would begin at 300 kbit/s and send the first seconds small and blurred

export class Mirror {
  #source; #video; #onState; #onStats; #onControls; #onFigure; #onPlace; #onRefusal;
  #stream = null; #pc = null; #channel = null; #timers = []; #attempt = 0; #wanted = false; #round = 0;
  #controls; #held = {}; #unsent = {}; #telling = null; #frames = 0; #newsAt = 0; #ticket = ""; #resume = null; #received = 0; #without = 0;

  /** source: MediaStream to send, null for a page that only looks. video: element that plays the result.
   *  controls: what shall hold from the start. */
  constructor(source, video, controls, { onState, onStats, onControls, onFigure = () => {}, onPlace = () => {}, onRefusal = () => {} }) {
    this.#source = source;
    this.#video = video;
    this.#controls = { ...controls };
    this.#onState = onState;
    this.#onStats = onStats;
    this.#onControls = onControls;
    this.#onFigure = onFigure; // (outline) where the visitor stands: [[x, y], ...] of 0..1, empty with nobody there
    this.#onPlace = onPlace; // (mirror) a place was taken, at first or anew
    this.#onRefusal = onRefusal; // ({code, message}, changes) what the worker would not do: as before holds again
  }

  start() {
    this.#wanted = true;
    addEventListener("pagehide", this.leave);
    addEventListener("online", this.#networkIsBack);
    this.#onState("connecting");
    this.#connect();
  }

  /** Frees the place; works while the page is being closed. */
  leave = () => {
    this.#wanted = false;
    this.#round++;
    removeEventListener("pagehide", this.leave);
    removeEventListener("online", this.#networkIsBack);
    const stream = this.#stream;
    this.#stream = null;
    this.#disconnect();
    if (stream) giveBack(stream);
  };

  /** Changes controls: at once when the channel is open, with the next connection otherwise. */
  set(changes) {
    Object.assign(this.#controls, changes);
    Object.assign(this.#unsent, changes);
    this.#tellChanges();
    this.#onControls(this.#controls);
  }

  /** One message at a time, the next when it is answered, which may take seconds: a style loads. */
  #tellChanges() {
    if (this.#telling || this.#channel?.readyState !== "open" || !Object.keys(this.#unsent).length) return;
    this.#channel.send(JSON.stringify({ type: "set", changes: this.#unsent }));
    this.#telling = this.#unsent;
    this.#unsent = {};
  }

  #answered() {
    this.#telling = null;
    this.#tellChanges();
  }

  /** A request about this stream: `ask("POST", "keepsake")`. Throws Refusal. */
  async ask(method, tail, body) {
    if (!this.#stream) throw new Refusal(404, "not_found", "the line is lost just now");
    return call(method, `/v1/streams/${this.#stream.id}/${tail}`, { token: this.#stream.token, body });
  }

  /** The stream's name at the worker, once it has one. */
  get id() {
    return this.#stream?.id ?? null;
  }

  /** Of the line now: round trip, and the time from a picture's first packet until it is decoded. */
  async line() {
    let round_trip_ms = 0, receive_ms = 0;
    for (const report of (await this.#pc?.getStats())?.values() ?? []) {
      if (report.type === "candidate-pair" && report.nominated) round_trip_ms = 1000 * (report.currentRoundTripTime ?? 0);
      if (report.type === "inbound-rtp" && report.framesDecoded) receive_ms = (1000 * report.totalProcessingDelay) / report.framesDecoded;
    }
    return { round_trip_ms, receive_ms };
  }

  async #connect() {
    let round = ++this.#round;
    this.#disconnect();
    try {
      if (!this.#stream) {
        const stream = await this.#askForPlace();
        if (!this.#wanted || this.#stream) return giveBack(stream); // left meanwhile, or another ask was quicker
        round = ++this.#round;
        this.#take(stream);
      }
      if (round !== this.#round) return;
      await this.#negotiate(round);
    } catch (error) {
      if (round === this.#round) this.#recover(error);
    }
  }

  #askForPlace() {
    return call("POST", "/v1/streams", { body: { controls: this.#controls, ticket: this.#ticket, resume: this.#resume }, withinMs: ANSWER_MS });
  }

  #take(stream) {
    this.#stream = stream;
    this.#resume = null;
    this.#ticket = "";
    this.#hold(stream.controls);
    this.#onPlace(this);
  }

  /** A relay's credentials hold for an hour: those that came with the place are for its first connection. */
  async #iceServers(stream) {
    const given = stream.ice_servers ?? await call("GET", `/v1/streams/${stream.id}/ice_servers`, { token: stream.token, withinMs: ANSWER_MS });
    stream.ice_servers = given.length ? null : given;
    return given;
  }

  async #negotiate(round) {
    const iceServers = await this.#iceServers(this.#stream);
    if (round !== this.#round) return;
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#pc = pc;
    this.#openChannel(pc);
    if (!this.#source) pc.addTransceiver("video", { direction: "recvonly" });
    for (const track of this.#source?.getVideoTracks() ?? []) {
      track.contentHint = "motion";
      pc.addTrack(track, this.#source);
    }
    pc.ontrack = ({ track, receiver }) => {
      receiver.jitterBufferTarget = 0; // a mirror: now matters more than smooth
      this.#video.srcObject = new MediaStream([track]);
      this.#video.play().catch(() => {}); // a muted video may always play; a page being closed aborts it
    };
    pc.onconnectionstatechange = () => this.#lineChanged(pc);
    await pc.setLocalDescription();
    await gathered(pc);
    const { id, token } = this.#stream;
    const answer = await call("POST", `/v1/streams/${id}/offer`, { token, body: { sdp: pc.localDescription.sdp }, withinMs: ANSWER_MS });
    if (round !== this.#round) return pc.close();
    await pc.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer.sdp) });
    this.#watch(pc);
  }

  #openChannel(pc) {
    const channel = pc.createDataChannel("controls");
    this.#channel = channel;
    this.#telling = null;
    this.#unsent = { ...this.#controls };
    channel.onopen = () => this.#tellChanges();
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "stats") {
        this.#pace(pc, message.camera_fps);
        this.#without = message.frames_in === this.#received ? this.#without + 1 : 0;
        this.#received = message.frames_in;
        this.#onStats(message);
      }
      if (message.type === "controls") this.#hold(message.controls);
      if (message.type === "figure") this.#onFigure(message.outline);
      if (message.type === "error") this.#refused(message);
      if (["controls", "error"].includes(message.type)) this.#answered();
      if (message.type === "bye" && message.why !== "replaced") this.#recover(new Error(message.why));
    };
  }

  /** What holds at the worker, and over it what was chosen since and not told yet. */
  #hold(controls) {
    this.#held = controls;
    this.#controls = { ...controls, ...this.#unsent };
    this.#onControls(this.#controls);
  }

  #refused(message) {
    const changes = this.#telling ?? {};
    this.#hold(this.#held);
    this.#onRefusal(message, changes);
  }

  /** Sends no more pictures a second than the worker has use for: what it would drop costs both sides. */
  #pace(pc, fps) {
    for (const sender of pc.getSenders().filter(({ track }) => track)) {
      const parameters = sender.getParameters();
      const [encoding] = parameters.encodings;
      if (!encoding || Math.abs((encoding.maxFramerate ?? Infinity) / fps - 1) < PACE_STEP) continue;
      encoding.maxFramerate = fps;
      sender.setParameters(parameters).catch(() => {}); // a browser that cannot sends them all
    }
  }

  /** Does not wait for the next try, which may be seven seconds away. */
  #networkIsBack = () => {
    if (this.#attempt > 0) this.#connect();
  };

  /** A try that leads to a place which is lost meanwhile is given up: nobody answers there. */
  async #askWhetherStillThere(pc) {
    try {
      await this.ask("GET", "stats");
    } catch (error) {
      if (pc === this.#pc && error.status === 404) this.#recover(error);
    }
  }

  /** Heartbeat, and a look each second whether pictures still come. */
  #watch(pc) {
    const since = performance.now();
    this.#frames = this.#without = 0;
    this.#newsAt = since;
    this.#timers.push(setInterval(() => {
      if (this.#channel?.readyState === "open") this.#channel.send('{"type": "beat"}');
      if (["new", "connecting"].includes(pc.connectionState)) this.#askWhetherStillThere(pc);
    }, BEAT_MS));
    this.#timers.push(setInterval(async () => {
      if (pc !== this.#pc) return;
      const decoded = await framesDecoded(pc);
      if (pc !== this.#pc) return;
      const now = performance.now();
      if (decoded > this.#frames) this.#pictureCame(decoded, now);
      else if (this.#frames > 0 && now - this.#newsAt > STALL_MS) this.#recover(new Error("stalled"));
      else if (pc.connectionState !== "connected" && now - since > CONNECT_MS) this.#recover(new Error("blocked"));
      else if (pc.connectionState === "connected" && now - this.#newsAt > STALL_MS && (this.#without || !this.#source)) this.#silent(now);
    }, 250));
  }

  #pictureCame(decoded, now) {
    this.#frames = decoded;
    this.#newsAt = now;
    this.#attempt = 0;
    this.#onState(this.#source && this.#without >= SILENT ? "silent" : "live");
  }

  #silent(now) {
    this.#newsAt = now;
    this.#onState("silent");
  }

  #lineChanged(pc) {
    if (pc !== this.#pc) return;
    if (pc.connectionState === "failed") this.#recover(new Error(this.#frames ? "failed" : "blocked"));
    if (pc.connectionState === "disconnected") {
      setTimeout(() => pc === this.#pc && pc.connectionState === "disconnected" && this.#recover(new Error("lost")), 1000);
    }
  }

  #recover(error) {
    if (!this.#wanted) return;
    this.#disconnect();
    const round = ++this.#round;
    let wait = waitMs(this.#attempt++);
    if (error instanceof Refusal && error.code === "no_capacity") {
      wait = BUSY_MS;
      this.#attempt = 0; // it answered: should the next answer be lost, the turn is kept by asking again at once
      this.#ticket = error.data.ticket ?? "";
      this.#onState("full", error.data.place);
    } else if (error instanceof Refusal && ([401, 404].includes(error.status) || this.#asksTooMuch(error))) {
      if (!this.#stream) this.#forgetSome();
      this.#resume = this.#stream?.token ?? null;
      this.#stream = null; // the worker forgot us: a new place, with the controls that we remember
      wait = Math.min(wait, waitMs(1)); // it answered, so there is a network
      this.#onState("reconnecting");
    } else if (error instanceof Refusal && AWAY.includes(error.status)) {
      wait = Math.max(wait, 1000);
      this.#onState("loading", error.message);
    } else if (error instanceof Refusal && ![408, 429].includes(error.status)) {
      this.#wanted = false;
      return this.#onState("refused", error.message, error.code);
    } else {
      this.#onState(error.message === "blocked" ? "blocked" : "reconnecting");
    }
    setTimeout(() => this.#wanted && round === this.#round && this.#connect(), wait);
  }

  /** Whether it may be the controls that a place was asked for with which are refused. */
  #asksTooMuch({ status, code }) {
    return !this.#stream && Object.keys(this.#controls).length > 0 && (status === 422 || code.startsWith("model_"));
  }

  /** A place is refused: the style that was chosen cannot be played, or else the worker is another by now and knows other controls. */
  #forgetSome() {
    const { style, ...others } = this.#controls;
    this.#controls = style === undefined ? {} : others;
    this.#unsent = {};
  }

  #disconnect() {
    this.#timers.splice(0).forEach(clearInterval);
    this.#pc?.close();
    this.#pc = this.#channel = null;
  }
}

/** Frees a place; works while the page is being closed. */
function giveBack({ id, token }) {
  call("DELETE", `/v1/streams/${id}`, { token, keepalive: true }).catch(() => {});
}

/** Resolves when all candidates are in the description: aiortc takes none afterwards. */
function gathered(pc) {
  return new Promise((done) => {
    const look = () => pc.iceGatheringState === "complete" && done();
    pc.addEventListener("icegatheringstatechange", look);
    setTimeout(done, GATHER_MS);
    look();
  });
}

async function framesDecoded(pc) {
  for (const report of (await pc.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.kind === "video") return report.framesDecoded ?? 0;
  }
  return 0;
}

/** Chromium reads this parameter from the answer; others ignore it. */
function withStartBitrate(sdp) {
  return sdp.replace(/a=rtpmap:(\d+) VP8\/90000\r\n/, `$&a=fmtp:$1 x-google-start-bitrate=${START_KBIT}\r\n`);
}
