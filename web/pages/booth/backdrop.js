// A visitor's own picture for behind them: made small here, so that what leaves the phone or kiosk is a plain JPEG
// without place or time.

const LONG_SIDE = 1280;
const MAX_BYTES = 250_000; // the worker takes 256 kB

/** @returns {Promise<Blob>} a JPEG of at most MAX_BYTES. Throws when the browser cannot read the file as a picture. */
export async function shrunk(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  for (let side = LONG_SIDE, quality = 0.85; ; side *= 0.75, quality = 0.8) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = Object.assign(document.createElement("canvas"), { width: Math.max(1, picture.width * scale), height: Math.max(1, picture.height * scale) });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob.size <= MAX_BYTES) return blob;
  }
}
