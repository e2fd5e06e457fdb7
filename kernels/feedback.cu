// VJ mode's share of a frame: what happens to the fed-back picture before the generator, and to the picture that is shown after it.
//   feedback   x[i,j,c] = saturate(clamp(rate * P(T(u,v))[c] + n1 + n2 + n3, -100, 100))       generator input, 0..1
//              n_o = amplitude_o * simplex(f_o * u, f_o * v, z_o): one scalar for all three colours (Ngx); u = (j+.5)/SIDE, v = (i+.5)/SIDE
//              T: around the middle, kaleidoscope, then mirrors, then matrix and shift; P: bilinear, edges repeated
//   colour     hue turned around the grey axis, then inverted by a share, then false colours by a share
//   lerp       out = a + mix * (b - a), halves or floats: weight-space crossfade of two networks, every tensor at once
// prev, x, out [SIDE][SIDE][3] float32. settings: 32 floats in the order of `feedback.Settings`, read from memory, so that a captured
// graph takes new values without being captured again.
// Launch: 1-D grid, block 256; feedback and colour one thread per pixel, lerp one per 16 bytes.
// Bytes: feedback 12 loaded and 12 stored per pixel (neighbours' bilinear taps come from L1), lerp 32 loaded and 16 stored per thread.
#include "device.cuh"

#define PI_F 3.14159265358979f

#ifdef SIDE
// One of 12 edge directions of a cube, chosen by the lattice point; dot product with the offset.
__device__ __forceinline__ float gradient(int i, int j, int k, float x, float y, float z)
{
    unsigned h = (unsigned)i * 0x9E3779B1u ^ (unsigned)j * 0x85EBCA77u ^ (unsigned)k * 0xC2B2AE3Du;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    h = (h ^ h >> 15) % 12;
    const float a = h < 8 ? x : y, b = h < 4 ? y : z;
    return (h & 1 ? -a : a) + (h & 2 ? -b : b);
}

__device__ __forceinline__ float corner(int i, int j, int k, float x, float y, float z)
{
    const float t = 0.5f - x * x - y * y - z * z;
    return t > 0 ? t * t * t * t * gradient(i, j, k, x, y, z) : 0;
}

// Simplex noise (Perlin 2001): space is cut into tetrahedra, each corner adds a falling-off gradient. About -1..1.
__device__ float simplex(float x, float y, float z)
{
    const float skew = (x + y + z) * (1.0f / 3);
    const int i = (int)floorf(x + skew), j = (int)floorf(y + skew), k = (int)floorf(z + skew);
    const float back = (float)(i + j + k) * (1.0f / 6);
    const float a = x - ((float)i - back), b = y - ((float)j - back), c = z - ((float)k - back);
    // The largest offset steps first, the smallest last.
    const int i1 = a >= b && a >= c, j1 = b > a && b >= c, k1 = !i1 && !j1;
    const int i3 = a < b && a < c, j3 = !i3 && b < c && b <= a, k3 = !i3 && !j3;
    const int i2 = 1 - i3, j2 = 1 - j3, k2 = 1 - k3;
    const float g = 1.0f / 6;
    float sum = corner(i, j, k, a, b, c);
    sum += corner(i + i1, j + j1, k + k1, a - (float)i1 + g, b - (float)j1 + g, c - (float)k1 + g);
    sum += corner(i + i2, j + j2, k + k2, a - (float)i2 + 2 * g, b - (float)j2 + 2 * g, c - (float)k2 + 2 * g);
    sum += corner(i + 1, j + 1, k + 1, a - 1 + 3 * g, b - 1 + 3 * g, c - 1 + 3 * g);
    return 76.9f * sum;  // brings the largest values found to 1
}

// Where the pixel at (x, y), both -0.5..0.5 from the middle, takes its picture from.
__device__ __forceinline__ float2 transform(float x, float y, const float* s)
{
    const float segments = ld(s + 8);
    if (segments >= 2) {
        const float wedge = 2 * PI_F / segments, radius = sqrtf(x * x + y * y);
        float angle = atan2f(y, x);
        angle = fabsf(angle - wedge * floorf(angle / wedge + 0.5f));
        x = radius * cosf(angle);
        y = radius * sinf(angle);
    }
    if (ld(s + 9) > 0) x = -fabsf(x);
    if (ld(s + 10) > 0) y = -fabsf(y);
    return make_float2(ld(s + 2) * x + ld(s + 3) * y + ld(s + 4), ld(s + 5) * x + ld(s + 6) * y + ld(s + 7));
}

__device__ __forceinline__ int inside(int i) { return i < 0 ? 0 : i > SIDE - 1 ? SIDE - 1 : i; }

// 256 pixels from shared memory: neighbouring lanes store neighbouring floats, not every third one.
__device__ __forceinline__ void store_rows(const float* rows, float* out)
{
    for (int e = threadIdx.x; e < 768; e += 256) {
        const int k = blockIdx.x * 768 + e;
        if (k < SIDE * SIDE * 3) st(out + k, rows[e]);
    }
}

extern "C" __global__ void __launch_bounds__(256) feedback(const float* __restrict__ prev, const float* __restrict__ settings,
                                                           float* __restrict__ x)
{
    __shared__ float rows[768];
    const int t = blockIdx.x * 256 + threadIdx.x, i = t / SIDE, j = t % SIDE;
    const float u = ((float)j + 0.5f) / SIDE, v = ((float)i + 0.5f) / SIDE, rate = ld(settings);
    float noise = 0;
    for (int o = 0; o < 3; o++) {
        const float* octave = settings + 11 + 3 * o;  // amplitude, frequency, z
        const float f = ld(octave + 1);
        if (ld(octave) != 0) noise += ld(octave) * simplex(f * u, f * v, ld(octave + 2));
    }
    const float2 from = transform(u - 0.5f, v - 0.5f, settings);
    const float column = (from.x + 0.5f) * SIDE - 0.5f, row = (from.y + 0.5f) * SIDE - 0.5f;
    const float c0 = fminf(fmaxf(floorf(column), -1), SIDE), r0 = fminf(fmaxf(floorf(row), -1), SIDE);
    const float dc = fminf(fmaxf(column - c0, 0), 1), dr = fminf(fmaxf(row - r0, 0), 1);
    const int left = inside((int)c0), right = inside((int)c0 + 1), top = inside((int)r0), bottom = inside((int)r0 + 1);
    for (int c = 0; c < 3; c++) {
        const float a = ld(prev + (top * SIDE + left) * 3 + c), b = ld(prev + (top * SIDE + right) * 3 + c);
        const float d = ld(prev + (bottom * SIDE + left) * 3 + c), e = ld(prev + (bottom * SIDE + right) * 3 + c);
        const float upper = a + dc * (b - a), lower = d + dc * (e - d);
        const float fed = fminf(fmaxf(rate * (upper + dr * (lower - upper)) + noise, -100), 100);
        rows[threadIdx.x * 3 + c] = fminf(fmaxf(fed, 0), 1);
    }
    __syncthreads();  // all pixels of the block are there
    store_rows(rows, x);
}

extern "C" __global__ void __launch_bounds__(256) colour(const float* __restrict__ x, const float* __restrict__ settings,
                                                         float* __restrict__ out)
{
    __shared__ float rows[768];
    for (int e = threadIdx.x; e < 768; e += 256) {
        const int k = blockIdx.x * 768 + e;
        rows[e] = ld_if(k < SIDE * SIDE * 3, x + k);
    }
    __syncthreads();  // all pixels of the block are there
    float* mine = rows + threadIdx.x * 3;
    const float hue = ld(settings + 20) * 2 * PI_F, invert = ld(settings + 21), falsify = ld(settings + 22);
    const float cosine = cosf(hue), sine = sinf(hue) * 0.57735027f, r = mine[0], g = mine[1], b = mine[2];
    const float grey = (1 - cosine) * (r + g + b) * (1.0f / 3);
    float rgb[3] = {cosine * r + grey + sine * (b - g), cosine * g + grey + sine * (r - b), cosine * b + grey + sine * (g - r)};
    for (int c = 0; c < 3; c++) rgb[c] += invert * (1 - 2 * rgb[c]);
    const float luma = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    for (int c = 0; c < 3; c++) {
        const float wave = 0.5f - 0.5f * cosf(2 * PI_F * (luma * 1.5f + ld(settings + 23) + (float)c * (1.0f / 3)));
        mine[c] = fminf(fmaxf(rgb[c] + falsify * (wave - rgb[c]), 0), 1);
    }
    __syncthreads();  // all pixels of the block are changed
    store_rows(rows, out);
}
#endif

#ifdef COUNT16
__device__ __forceinline__ unsigned lerp2(unsigned a, unsigned b, float mix)
{
    const float lo = low_half(a), hi = high_half(a);
    return pack_halves(lo + mix * (low_half(b) - lo), hi + mix * (high_half(b) - hi));
}

extern "C" __global__ void __launch_bounds__(256) lerp_halves(const uint4* __restrict__ a, const uint4* __restrict__ b,
                                                              const float* __restrict__ mix, uint4* __restrict__ out)
{
    const int t = blockIdx.x * 256 + threadIdx.x;
    if (t >= COUNT16) return;
    const uint4 p = ld(a + t), q = ld(b + t);
    const float m = ld(mix);
    st(out + t, make_uint4(lerp2(p.x, q.x, m), lerp2(p.y, q.y, m), lerp2(p.z, q.z, m), lerp2(p.w, q.w, m)));
}

extern "C" __global__ void __launch_bounds__(256) lerp_floats(const float4* __restrict__ a, const float4* __restrict__ b,
                                                              const float* __restrict__ mix, float4* __restrict__ out)
{
    const int t = blockIdx.x * 256 + threadIdx.x;
    if (t >= COUNT16) return;
    const float4 p = ld(a + t), q = ld(b + t);
    const float m = ld(mix);
    st(out + t, make_float4(p.x + m * (q.x - p.x), p.y + m * (q.y - p.y), p.z + m * (q.z - p.z), p.w + m * (q.w - p.w)));
}
#endif
