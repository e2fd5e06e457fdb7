// VJ mode's share of a frame: what happens to the fed-back picture before the generator, and to the picture that is shown after it.
//   feedback   f = clamp(rate * M[c] + n1 + n2 + n3, -100, 100), then 0..1, then the guest g blended in: the generator's input, 0..1
//              M = P(T(u,v)) + focus * (P - mean of the 3x3 around it), P(T) being the picture P held as halves, moved by T
//              n_o = amplitude_o * simplex(f_o * u + place, f_o * v + place, z_o): one scalar for all three colours (Ngx)
//              u = (j+.5)/SIDE, v = (i+.5)/SIDE; T: around the middle, kaleidoscope, then mirrors, then matrix and shift
//              P: bilinear, mirrored at its edges; blends by number, w = gain * guest's alpha: see `blended`
//   colour     hue turned around the grey axis, then inverted by a share, then false colours by a share
//   lerp       out = a + mix * (b - a), halves or floats, exact at both ends: weight-space crossfade, every tensor at once.
//              While a fader moves, conv_v6 mixes its halves itself; this is for the floats, and for a fader come to rest
// prev, x, out [SIDE][SIDE][3] float32, guest [SIDE][SIDE][4]. settings: 32 floats in the order of `feedback.Settings`, read from
// memory, so that a captured graph takes new values without being captured again.
// Launch: 1-D grid, block 256; feedback and colour one thread per pixel, lerp one per 16 bytes.
// Bytes: feedback 12 loaded and 12 stored per pixel (neighbours' bilinear taps come from L1), 16 more with a guest; lerp 32 loaded
// and 16 stored per thread.
#include "device.cuh"

#define PI_F 3.14159265358979f

#ifdef SIDE
// The hash of a lattice point, coordinate by coordinate: permutes 0..288. x 0..577, so no product overflows.
__device__ __forceinline__ int permuted(int x) { return (34 * x + 1) * x % 289; }

__device__ __forceinline__ int on_lattice(int cell) { return (cell % 289 + 289) % 289; }

// What the lattice point (i, j, k), each 0..289, adds at the offset (x, y, z) from it. Its gradient is one of 49: 7 x 7 points of a
// square, folded onto an octahedron.
__device__ __forceinline__ float corner(int i, int j, int k, float x, float y, float z)
{
    const float t = 0.6f - (x * x + y * y + z * z);
    if (t <= 0) return 0;
    const int place = permuted(permuted(permuted(k) + j) + i) % 49, row = place / 7;
    float gx = ((float)row * 2 + 0.5f) / 7 - 1, gy = ((float)(place - 7 * row) * 2 + 0.5f) / 7 - 1;
    const float gz = 1 - fabsf(gx) - fabsf(gy);
    if (gz < 1e-4f) {  // not 0: some gradients lie on the fold itself, and rounding must not choose their side
        gx -= gx >= 0 ? 1 : -1;
        gy -= gy >= 0 ? 1 : -1;
    }
    return t * t * t * t * (gx * x + gy * y + gz * z) / sqrtf(gx * gx + gy * gy + gz * gz);
}

// Simplex noise (Perlin 2001; hash and gradients McEwan et al., arXiv:1204.1461): space is cut into tetrahedra, each corner adds a
// falling-off gradient. About -1..1.
__device__ float simplex(float x, float y, float z)
{
    const float skew = (x + y + z) / 3;
    const float ci = floorf(x + skew), cj = floorf(y + skew), ck = floorf(z + skew), back = (ci + cj + ck) / 6;
    const float a = x - ci + back, b = y - cj + back, c = z - ck + back, g = 1.0f / 6;
    const int i = on_lattice((int)ci), j = on_lattice((int)cj), k = on_lattice((int)ck);
    const bool ab = a >= b, bc = b >= c, ca = c >= a;
    // The largest offset steps first, the smallest last.
    const int i1 = ab && !ca, j1 = bc && !ab, k1 = ca && !bc, i2 = ab || !ca, j2 = bc || !ab, k2 = ca || !bc;
    float sum = corner(i, j, k, a, b, c);
    sum += corner(i + i1, j + j1, k + k1, a - (float)i1 + g, b - (float)j1 + g, c - (float)k1 + g);
    sum += corner(i + i2, j + j2, k + k2, a - (float)i2 + 2 * g, b - (float)j2 + 2 * g, c - (float)k2 + 2 * g);
    sum += corner(i + 1, j + 1, k + 1, a - 1 + 3 * g, b - 1 + 3 * g, c - 1 + 3 * g);
    return 42 * sum;  // brings the largest values found to about 1
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

// A place in pixels, mirrored at the picture's edges -0.5 and SIDE - 0.5, then kept among the pixels' middles.
__device__ __forceinline__ float mirrored(float place)
{
    const float y = fabsf(place + 0.5f), turns = floorf(y / SIDE), rest = y - SIDE * turns;
    const float back = turns - 2 * floorf(turns / 2) > 0 ? SIDE - rest : rest;
    return fminf(fmaxf(back - 0.5f, 0), SIDE - 1);
}

// The loop's picture is kept as halves, as Ngx keeps it.
__device__ __forceinline__ float held(const float* p) { const float v = ld(p); return low_half(pack_halves(v, v)); }

// rgb += share * pixel (i, j) of the moved picture.
__device__ __forceinline__ void add_moved(const float* prev, const float* settings, int i, int j, float share, float (&rgb)[3])
{
    const float2 from = transform(((float)j + 0.5f) / SIDE - 0.5f, ((float)i + 0.5f) / SIDE - 0.5f, settings);
    const float column = mirrored((from.x + 0.5f) * SIDE - 0.5f), row = mirrored((from.y + 0.5f) * SIDE - 0.5f);
    const int left = inside((int)column), top = inside((int)row), right = inside(left + 1), bottom = inside(top + 1);
    const float dc = column - (float)left, dr = row - (float)top;
    for (int c = 0; c < 3; c++) {
        const float a = held(prev + (top * SIDE + left) * 3 + c), b = held(prev + (top * SIDE + right) * 3 + c);
        const float d = held(prev + (bottom * SIDE + left) * 3 + c), e = held(prev + (bottom * SIDE + right) * 3 + c);
        const float upper = a + dc * (b - a), lower = d + dc * (e - d);
        rgb[c] += share * (upper + dr * (lower - upper));
    }
}

// p with the guest's colour o, of weight w, let in.
__device__ __forceinline__ float blended(float p, float o, float w, int blend)
{
    if (blend == 1) return p + w * o;                        // add
    if (blend == 2) return 1 - (1 - p) * (1 - w * o);        // screen
    if (blend == 3) return p * (1 - w + w * o);              // multiply
    if (blend == 4) return p + w * (fabsf(p - o) - p);       // difference
    return p + w * (o - p);                                  // mix
}

// 256 pixels from shared memory: neighbouring lanes store neighbouring floats, not every third one.
__device__ __forceinline__ void store_rows(const float* rows, float* out)
{
    for (int e = threadIdx.x; e < 768; e += 256) {
        const int k = blockIdx.x * 768 + e;
        if (k < SIDE * SIDE * 3) st(out + k, rows[e]);
    }
}

extern "C" __global__ void __launch_bounds__(256) feedback(const float* __restrict__ prev, const float4* __restrict__ guest,
                                                           const float* __restrict__ settings, float* __restrict__ x)
{
    __shared__ float rows[768];
    const int t = blockIdx.x * 256 + threadIdx.x, i = inside(t / SIDE), j = t % SIDE;  // the last block may stick out
    const float u = ((float)j + 0.5f) / SIDE, v = ((float)i + 0.5f) / SIDE, rate = ld(settings), focus = ld(settings + 1);
    float noise = 0;
    for (int o = 0; o < 3; o++) {
        const float* octave = settings + 11 + 3 * o;  // amplitude, frequency, z
        const float f = ld(octave + 1), place = ld(settings + 29);
        if (ld(octave) != 0) noise += ld(octave) * simplex(f * u + place, f * v + place, ld(octave + 2));
    }
    float moved[3] = {0, 0, 0};
    add_moved(prev, settings, i, j, 1 + focus, moved);
    if (focus != 0)
        for (int n = 0; n < 9; n++) {
            int y = i + n / 3 - 1, x = j + n % 3 - 1;  // beyond an edge the pixel before it counts again
            y = y < 0 ? 1 : y > SIDE - 1 ? SIDE - 2 : y;
            x = x < 0 ? 1 : x > SIDE - 1 ? SIDE - 2 : x;
            add_moved(prev, settings, inside(y), inside(x), focus * (-1.0f / 9), moved);
        }
    const float gain = ld(settings + 30);
    const float4 other = ld_if(gain > 0 && t < SIDE * SIDE, guest + t);
    const float colours[3] = {other.x, other.y, other.z};
    for (int c = 0; c < 3; c++) {
        const float fed = fminf(fmaxf(fminf(fmaxf(rate * moved[c] + noise, -100), 100), 0), 1);
        const float both = gain > 0 ? blended(fed, colours[c], gain * other.w, (int)ld(settings + 31)) : fed;
        rows[threadIdx.x * 3 + c] = fminf(fmaxf(both, 0), 1);
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
    const float rgb[3] = {cosine * r + grey + sine * (b - g), cosine * g + grey + sine * (r - b), cosine * b + grey + sine * (g - r)};
    for (int c = 0; c < 3; c++) {
        const float turned = fminf(fmaxf(rgb[c], 0), 1), seen = turned + invert * (1 - 2 * turned);
        const float wave = 0.5f + 0.5f * sinf(seen * ld(settings + 23 + c) + ld(settings + 26 + c));
        mine[c] = fminf(fmaxf(seen + falsify * (wave - seen), 0), 1);
    }
    __syncthreads();  // all pixels of the block are changed
    store_rows(rows, out);
}
#endif

#ifdef COUNT16
extern "C" __global__ void __launch_bounds__(256) lerp_halves(const uint4* __restrict__ a, const uint4* __restrict__ b,
                                                              const float* __restrict__ mix, uint4* __restrict__ out)
{
    const int t = blockIdx.x * 256 + threadIdx.x;
    if (t >= COUNT16) return;
    const float m = ld(mix);
    st(out + t, mix8(ld(a + t), ld(b + t), pack_halves(m, m)));
}

extern "C" __global__ void __launch_bounds__(256) lerp_floats(const float4* __restrict__ a, const float4* __restrict__ b,
                                                              const float* __restrict__ mix, float4* __restrict__ out)
{
    const int t = blockIdx.x * 256 + threadIdx.x;
    if (t >= COUNT16) return;
    const float4 p = ld(a + t), q = ld(b + t);
    const float m = ld(mix);
    st(out + t, make_float4(mix1(p.x, q.x, m), mix1(p.y, q.y, m), mix1(p.z, q.z, m), mix1(p.w, q.w, m)));
}
#endif
