// A small drawing on a large screen, enlarged so that its edges stay edges. A shader does it, where a graphics card is
// there to run one; elsewhere the browser's own enlargement is shown, which is soft.

const LEAST = 1.6; // screen pixels for each of the picture's: below, the difference is not seen
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const LARGEST_PX = 2160; // of the longer side

const VERTEX = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(0.5, -0.5) * corner + 0.5;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

// Edges are made steeper by looking a little away from them ("warp sharpening"): the sample moves down the slope of the
// edges' strength, by at most REACH of the picture's pixels. Flat parts, and with them the codec's noise, stay as they are.
const FRAGMENT = `
precision highp float;
uniform sampler2D picture;
uniform vec2 texel;
varying vec2 at;
const float STEP = 1.5, REACH = 1.5, DEPTH = 7.0, WEAK = 0.03;

vec3 colour(vec2 p) { return texture2D(picture, p).rgb; }

float edge(vec2 p) { // Sobel, over STEP of the picture's pixels, of all colours: red beside green may be equally bright
  vec2 x = vec2(STEP * texel.x, 0.0), y = vec2(0.0, STEP * texel.y);
  vec3 a = colour(p - x - y), b = colour(p - y), c = colour(p + x - y), d = colour(p - x), e = colour(p + x);
  vec3 f = colour(p - x + y), g = colour(p + y), h = colour(p + x + y);
  vec3 across = c + 2.0 * e + h - a - 2.0 * d - f, down = f + 2.0 * g + h - a - 2.0 * b - c;
  return max(0.0, sqrt((dot(across, across) + dot(down, down)) / 48.0) - WEAK);
}

vec3 smoothly(vec2 p) { // bicubic B-spline by four bilinear looks
  vec2 whole = floor(p / texel - 0.5), f = p / texel - 0.5 - whole, g = 1.0 - f;
  vec2 w0 = g * g * g / 6.0, w1 = (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0, w3 = f * f * f / 6.0;
  vec2 first = w0 + w1, last = 1.0 - first;
  vec2 a = (whole - 0.5 + w1 / first) * texel, b = (whole + 1.5 + w3 / last) * texel;
  vec3 upper = colour(vec2(a.x, a.y)) * first.x + colour(vec2(b.x, a.y)) * last.x;
  vec3 lower = colour(vec2(a.x, b.y)) * first.x + colour(vec2(b.x, b.y)) * last.x;
  return upper * first.y + lower * last.y;
}

void main() {
  vec2 x = vec2(STEP * texel.x, 0.0), y = vec2(0.0, STEP * texel.y);
  vec2 slope = vec2(edge(at + x) - edge(at - x), edge(at + y) - edge(at - y));
  vec2 away = -DEPTH * slope;
  away *= REACH / max(REACH, length(away));
  gl_FragColor = vec4(smoothly(at + away * texel), 1.0);
}`;

/** Draws `video` into `canvas`, which lies over it in the same box, picture by picture; hides the canvas where that is no gain. */
export function crisp(video, canvas) {
  const gl = canvas.getContext("webgl", { alpha: false, antialias: false, depth: false, failIfMajorPerformanceCaveat: true });
  if (!gl || !video.requestVideoFrameCallback || onProcessor(gl)) return;
  const texel = prepare(gl);
  if (!texel) return;
  const draw = () => {
    video.requestVideoFrameCallback(draw);
    const scale = enlargement(video, canvas.parentElement);
    canvas.hidden = scale < LEAST || gl.isContextLost();
    if (canvas.hidden) return;
    fit(gl, canvas, video, scale);
    gl.uniform2f(texel, 1 / video.videoWidth, 1 / video.videoHeight);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  };
  video.requestVideoFrameCallback(draw);
}

/** No graphics card behind it: the processor, which may have the drawing itself to do, would shade every pixel. */
function onProcessor(gl) {
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  return SOFTWARE.test(gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** Screen pixels for each of the picture's, with the whole picture in the box. */
function enlargement(video, box) {
  if (!video.videoWidth) return 0;
  return Math.min(box.clientWidth / video.videoWidth, box.clientHeight / video.videoHeight) * devicePixelRatio;
}

function fit(gl, canvas, video, scale) {
  const largest = Math.min(scale, LARGEST_PX / Math.max(video.videoWidth, video.videoHeight));
  const width = Math.round(video.videoWidth * largest), height = Math.round(video.videoHeight * largest);
  if (canvas.width === width && canvas.height === height) return;
  Object.assign(canvas, { width, height });
  gl.viewport(0, 0, width, height);
}

/** Where the shader wants to know how large a texel is; null where it cannot run. */
function prepare(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null; // a driver that does not take the shader
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(gl.getAttribLocation(program, "corner"));
  gl.vertexAttribPointer(gl.getAttribLocation(program, "corner"), 2, gl.FLOAT, false, 0, 0);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  return gl.getUniformLocation(program, "texel");
}
