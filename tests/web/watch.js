// Counts each distinct picture that the page's video presents; keeps the newest one's mean colour, every picture's upper
// left corner and the longest time, in ms, in which no new one came.
(selector) => {
  const video = document.querySelector(selector);
  const seen = (window.seen = { presented: 0, unique: 0, mean: null, corners: [], longest: 0, width: 0, height: 0 });
  const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let last = "", newsAt = performance.now();
  const mean = (data, channel) => {
    let sum = 0;
    for (let i = channel; i < data.length; i += 4) sum += data[i];
    return sum / 1024;
  };
  const look = () => {
    pen.drawImage(video, 0, 0, 32, 32);
    const { data } = pen.getImageData(0, 0, 32, 32);
    const key = data.join();
    seen.presented++;
    const now = performance.now();
    seen.longest = Math.max(seen.longest, now - newsAt);
    if (key !== last) {
      seen.unique++;
      newsAt = now;
    }
    last = key;
    seen.mean = [0, 1, 2].map((channel) => mean(data, channel));
    seen.corners.push([...data.slice(0, 3)]);
    [seen.width, seen.height] = [video.videoWidth, video.videoHeight];
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}
