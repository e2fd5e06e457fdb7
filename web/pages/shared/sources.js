// Where the picture comes from: the camera, or the sample clip for those who have none. Both end with `stop()`.

const CAMERA = { audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 }, facingMode: "user" } };
const CLIP_FPS = 24;

/** Why the camera cannot be had: `kind` is insecure, denied, absent, busy or unknown. */
export class CameraTrouble extends Error {
  constructor(kind, cause) {
    super(kind, { cause });
    this.kind = kind;
  }
}

const KINDS = {
  NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "absent", OverconstrainedError: "absent",
  NotReadableError: "busy", AbortError: "busy",
};

/** @returns {{stream: MediaStream, shape: () => number, stop: () => void, onEnd: (f: () => void) => void}} shape: width over height now: phones are turned */
export async function camera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraTrouble("insecure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia(CAMERA);
  } catch (error) {
    throw new CameraTrouble(KINDS[error.name] ?? "unknown", error);
  }
  const [track] = stream.getVideoTracks();
  const shape = () => {
    const { width = 640, height = 480 } = track.getSettings();
    return width / height;
  };
  return { stream, shape, stop: () => track.stop(), onEnd: (f) => track.addEventListener("ended", f) };
}

/** The clip, drawn into a canvas again and again. A timer and not animation frames: those rest in hidden tabs. */
export async function clip() {
  const video = Object.assign(document.createElement("video"), { src: "/clip.mp4", muted: true, loop: true, playsInline: true });
  try {
    await new Promise((ready, fail) => Object.assign(video, { onloadeddata: ready, onerror: fail }));
    await video.play(); // a phone that saves its battery plays nothing by itself
  } catch (error) {
    throw new CameraTrouble("noclip", error);
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  const pen = canvas.getContext("2d");
  const stream = canvas.captureStream(CLIP_FPS);
  const timer = setInterval(() => pen.drawImage(video, 0, 0), 1000 / CLIP_FPS);
  const stop = () => {
    clearInterval(timer);
    video.pause();
    stream.getTracks().forEach((track) => track.stop());
  };
  return { stream, shape: () => canvas.width / canvas.height, stop, onEnd: () => {} };
}
