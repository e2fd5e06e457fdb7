// Rung 6, fused: one launch per layer does activation and norm of its input, the convolution, the sum over splits, the statistics
// for its own norm and the write into its half of the concat buffer. What changes against rungs 4 and 5:
// - The input of all taps is staged once per 16 channels ("patch"), not once per tap: 18x18 pixels instead of 16 x 64 for 8x8 outputs.
// - Inputs are stored before their norm. The patch loader applies scale and shift of each channel, then the activation.
// - Each lane keeps a private ring of its coming weights in shared memory (cp.async); nobody else reads them, so no barrier waits for
//   them. Deep rings of few positions make the same code the weight-streaming kernel of the layers of at most 16 pixels.
// - The last block of a tile to finish (a counter in global memory says so) adds the splits in fixed order, rounds to halves, stores,
//   and leaves mean and squared deviations of its pixels; the last tile of a group of filters merges these (Chan et al. 1979) into
//   scale and shift. Results are the same on every run, whichever block comes last.
// - MIX 1, while a fader moves: every step brings the tiles of two networks, A's and B's, and mixes them in registers on their way to
//   mma (mix8 in device.cuh). The same arithmetic as mixing all weights beforehand, so the same bits, for one more read of them.
// KIND 0 convolution, 1 transposed convolution as four phases, 2 decoder 1: all phases and colours as 12 of 16 filters of 3x3 taps,
// tanh, fp32 picture out, 3 transposed convolution of a single pixel, whose 12 dead taps of 16 are left out.
//   y[i,j,k] = sum over taps a,b and c of  w[phase][a,b][c][k] * act(scale[c] * x[S*i+origin+a, S*j+origin+b, c] + shift[c])
// Constants: KIND, SIZE (input side), CIN, COUT, X_STRIDE, Y_STRIDE (values between pixels), TILE_H x TILE_W positions per block,
// WM x WN warps (filters x positions), SPLIT shares of the channels of which this launch makes RUN from FIRST on (the rest lie in part
// from an earlier launch; FINISH 0: store shares only), AHEAD stages of the ring, a power of two, half as many where they do not fit.
// x, y halves; w halves (prepare.fragments); affine [CIN] pairs scale, shift; part, tiles: workspaces; counters start at 0 and end at 0;
// gamma, beta [COUT]; out_affine [COUT] pairs. KIND 2: y is the picture [2*SIZE][2*SIZE][3] float32 in 0..1 and gamma the bias [3].
// MIX 1: w is A's, w_b B's, mix one float, 0 for A to 1 for B.
// Launch: grid (tiles, COUT/16/WM, phases*RUN), block 32*WM*WN.
// Bytes through L1 per block: PATCH*CIN/SPLIT*2 of x, 16*WM*TT*CIN/SPLIT*2*WN of w (MIX 1: and of w_b), and with SPLIT > 1 the sums
// twice, 4 bytes each.
#include "device.cuh"

#define TAPS (KIND == 0 ? 4 : KIND == 1 ? 2 : KIND == 2 ? 3 : 1)
#define TT (TAPS * TAPS)
#define S (KIND == 0 ? 2 : 1)
#define GRID_SIDE (KIND == 0 ? SIZE / 2 : SIZE)
#define PHASES (KIND == 1 || KIND == 3 ? 4 : 1)
#define TILE (TILE_H * TILE_W)
#define TILES (GRID_SIDE / TILE_H * (GRID_SIDE / TILE_W))
#define COLUMNS (TILE < 8 ? 8 : TILE)  // of mma
#define NT (COLUMNS / 8 / WN)
#define THREADS (32 * WM * WN)
#define FILTERS (16 * WM)  // per block
#define BLOCKS_K (COUT / FILTERS)
#define C16 (CIN / 16)
#define CHUNKS (C16 / SPLIT)
#define STEPS (CHUNKS * TT)
#define PATCH_H (S * (TILE_H - 1) + TAPS)
#define PATCH_W (S * (TILE_W - 1) + TAPS)
#define HALF_W ((PATCH_W + S - 1) / S)  // even and odd columns apart: then neighbouring outputs read neighbouring pixels
#define PITCH 24                        // halves per staged pixel: 16, and 8 that keep the lanes of a fragment on different banks
#define PATCH (PATCH_H * HALF_W * S)
#define PIECES (PATCH_H * PATCH_W * 2)  // of 16 bytes
#define EACH ((PIECES + THREADS - 1) / THREADS)
#define OUT_PITCH (FILTERS + 4)
#define NETS (1 + MIX)  // whose weights each step brings
#define PATCHES (CHUNKS > 1 ? 2 : 1)
#define PATCH_BYTES (PATCHES * PATCH * PITCH * 2)
#define OUT_BYTES (TILE * OUT_PITCH * 4)
#define STAGE_BYTES (WM * WN * NETS * 512)
#define ROOM (48000 - PATCH_BYTES)  // of the 48 KB that a block may declare
#define STAGES (AHEAD * STAGE_BYTES <= ROOM ? AHEAD : AHEAD / 2)
#if __CUDA_ARCH__ >= 800
#define RING_BYTES (STAGES * STAGE_BYTES)
#else
#define RING_BYTES 0  // Turing has no cp.async: one step ahead, in registers
#endif
#define POOL_BYTES (PATCH_BYTES + RING_BYTES > OUT_BYTES ? PATCH_BYTES + RING_BYTES : OUT_BYTES)

__device__ __forceinline__ unsigned prepare2(unsigned v, float4 affine, float slope)
{
    return pack_halves(activate(low_half(v) * affine.x + affine.y, slope), activate(high_half(v) * affine.z + affine.w, slope));
}

__device__ __forceinline__ int out_pixel(int position, int phase)
{
    const int tile = blockIdx.x, i = tile / (GRID_SIDE / TILE_W) * TILE_H + position / TILE_W;
    const int j = tile % (GRID_SIDE / TILE_W) * TILE_W + position % TILE_W;
    return PHASES == 4 ? (2 * i + phase / 2) * 2 * GRID_SIDE + 2 * j + phase % 2 : i * GRID_SIDE + j;
}

// True in every thread of the block that is the last of `expected` to come here; what the others stored before is then visible.
__device__ __forceinline__ bool last_to_come(unsigned* counter, unsigned expected, int thread)
{
    __shared__ unsigned before;
    fence();
    __syncthreads();  // all stores of this block come before its count
    if (thread == 0) {
        before = count_up(counter);
        if (before == expected - 1) st(counter, 0u);  // ready for the next frame
    }
    __syncthreads();  // before is there
    fence();
    return before == expected - 1;
}

// Mean and sum of squared deviations of each filter over this tile, then, in the last tile, scale and shift of the whole picture.
__device__ __forceinline__ void statistics(const float (*out)[OUT_PITCH], float2* tiles, unsigned* counters, const float* gamma,
                                           const float* beta, float2* out_affine, int phase, int thread)
{
    const int k = blockIdx.y * FILTERS + thread;
    if (thread < FILTERS) {
        float mean = 0, squares = 0;
        for (int p = 0; p < TILE; p++) mean += out[p][thread];
        mean *= 1.0f / TILE;
        for (int p = 0; p < TILE; p++) squares += (out[p][thread] - mean) * (out[p][thread] - mean);
        st(tiles + (phase * TILES + blockIdx.x) * COUT + k, make_float2(mean, squares));
    }
    if (!last_to_come(counters + blockIdx.y, TILES * PHASES, thread)) return;
    if (thread < FILTERS) {
        float mean = 0, squares = 0;
        for (int t = 0; t < TILES * PHASES; t++) mean += ld_fresh(tiles + t * COUT + k).x;
        mean *= 1.0f / (TILES * PHASES);
        for (int t = 0; t < TILES * PHASES; t++) {
            const float2 part = ld_fresh(tiles + t * COUT + k);
            squares += part.y + TILE * (part.x - mean) * (part.x - mean);
        }
        const float scale = ld(gamma + k) * rsqrtf(squares / (TILE * TILES * PHASES) + 1e-5f);
        st(out_affine + k, make_float2(scale, ld(beta + k) - mean * scale));
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    conv_v6(const half_t* __restrict__ x, const float4* __restrict__ affine, const uint4* __restrict__ w, float* part,
            unsigned* counters, float2* tiles, const float* __restrict__ gamma, const float* __restrict__ beta, float2* out_affine,
            void* __restrict__ y, float slope
#if MIX
            ,
            const uint4* __restrict__ w_b, const float* __restrict__ mix
#endif
    )
{
    __shared__ __align__(16) unsigned char pool[POOL_BYTES];
    half_t(*patch)[PATCH][PITCH] = (half_t(*)[PATCH][PITCH])pool;
    float(*out)[OUT_PITCH] = (float(*)[OUT_PITCH])pool;  // after the last tap patch and ring are no longer needed
    const int thread = threadIdx.x, lane = thread % 32, wm = thread / 32 % WM, wn = thread / 32 / WM;
    const int phase = blockIdx.z / RUN, split = FIRST + blockIdx.z % RUN;
    const int row0 = blockIdx.x / (GRID_SIDE / TILE_W) * TILE_H * S + (KIND == 1 ? phase / 2 - 1 : KIND == 3 ? 0 : -1);
    const int column0 = blockIdx.x % (GRID_SIDE / TILE_W) * TILE_W * S + (KIND == 1 ? phase % 2 - 1 : KIND == 3 ? 0 : -1);
    const int mine = ((phase * (COUT / 16) + blockIdx.y * WM + wm) * C16 + split * CHUNKS) * TT * 32 + lane;
#if MIX
    const uint4* weights[NETS] = {w + mine, w_b + mine};
    const float share = ld(mix);
    const unsigned toward_b = pack_halves(share, share);
#else
    const uint4* weights[NETS] = {w + mine};
    const unsigned toward_b = 0;
#endif

    uint4 next[EACH];
    auto fetch = [&](int chunk) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const int e = thread + i * THREADS, r = row0 + e / 2 / PATCH_W, s = column0 + e / 2 % PATCH_W;
            const bool inside = e < PIECES && r >= 0 && r < SIZE && s >= 0 && s < SIZE;
            next[i] = ld_if(inside, (const uint4*)(x + (r * SIZE + s) * X_STRIDE + (split * CHUNKS + chunk) * 16 + thread % 2 * 8));
        }
    };
    auto stage = [&](int chunk) {
        float4 pairs[4];
        for (int i = 0; i < 4; i++) pairs[i] = ld(affine + (split * CHUNKS + chunk) * 8 + thread % 2 * 4 + i);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const int e = thread + i * THREADS, pr = e / 2 / PATCH_W, ps = e / 2 % PATCH_W, r = row0 + pr, s = column0 + ps;
            uint4 v = make_uint4(0, 0, 0, 0);  // padding is zero after norm and activation
            if (r >= 0 && r < SIZE && s >= 0 && s < SIZE)
                v = make_uint4(prepare2(next[i].x, pairs[0], slope), prepare2(next[i].y, pairs[1], slope),
                               prepare2(next[i].z, pairs[2], slope), prepare2(next[i].w, pairs[3], slope));
            if (e < PIECES) *(uint4*)&patch[chunk % PATCHES][(pr * S + ps % S) * HALF_W + ps / S][thread % 2 * 8] = v;
        }
    };
#if __CUDA_ARCH__ >= 800
    uint4(*ring)[NETS][32] = (uint4(*)[NETS][32])(pool + PATCH_BYTES) + thread / 32 * STAGES;  // of this warp
    auto ask = [&](int step) {
#pragma unroll
        for (int n = 0; n < NETS; n++)
            if (step < STEPS) copy16_async(&ring[step % STAGES][n][lane], weights[n] + step * 32);
        copies_commit();
    };
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) ask(s);
#else
    uint4 coming[NETS];
    auto ask = [&](int step) {
#pragma unroll
        for (int n = 0; n < NETS; n++)
            if (step < STEPS) coming[n] = ld(weights[n] + step * 32);
    };
    ask(0);
#endif

    int from[NT];  // where this lane's column of each fragment starts in the patch, for tap (0, 0)
#pragma unroll
    for (int t = 0; t < NT; t++) {
        const int p = ((wn * NT + t) * 8 + lane / 4) % TILE;
        from[t] = p / TILE_W * S * S * HALF_W + p % TILE_W;
    }
    float sum[NT][4] = {};
    fetch(0);
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        stage(chunk);
        __syncthreads();  // this patch is there; the other one is no longer needed
        if (chunk + 1 < CHUNKS) fetch(chunk + 1);
#pragma unroll
        for (int tap = 0; tap < TT; tap++) {
            const int step = chunk * TT + tap;
#if __CUDA_ARCH__ >= 800
            copies_wait<STAGES - 2>();
            const uint4(*brought)[32] = ring[step % STAGES];
            const uint4 a = MIX ? mix8(brought[0][lane], brought[MIX][lane], toward_b) : brought[0][lane];
            ask(step + STAGES - 1);
#else
            const uint4 a = MIX ? mix8(coming[0], coming[MIX], toward_b) : coming[0];
            ask(step + 1);
#endif
            const int u = tap / TAPS, v = tap % TAPS;
#pragma unroll
            for (int t = 0; t < NT; t++) {
                const half_t* q = &patch[chunk % PATCHES][from[t] + (u * S + v % S) * HALF_W + v / S][lane % 4 * 2];
                mma_16x8x16(sum[t], a, *(const unsigned*)q, *(const unsigned*)(q + 8));
            }
        }
    }

    const int tile = (phase * BLOCKS_K + blockIdx.y) * TILES + blockIdx.x;
    float* shares = part + tile * SPLIT * TILE * FILTERS;
    __syncthreads();  // patch and ring become the output tile
#pragma unroll
    for (int t = 0; t < NT; t++)
        for (int i = 0; i < 4; i++) {
            const int p = (wn * NT + t) * 8 + lane % 4 * 2 + i % 2, k = wm * 16 + lane / 4 + i / 2 * 8;
            if (SPLIT > 1 && p < TILE) st(shares + (split * TILE + p) * FILTERS + k, sum[t][i]);
            if (SPLIT == 1 && p < TILE) out[p][k] = sum[t][i];
        }
#if FINISH
    if (SPLIT > 1) {
        if (!last_to_come(counters + BLOCKS_K + tile, RUN, thread)) return;
        for (int e = thread; e < TILE * FILTERS / 4; e += THREADS) {
            float4 total = make_float4(0, 0, 0, 0);
            for (int s = 0; s < SPLIT; s++) {
                const float4 v = ld_fresh((const float4*)shares + s * (TILE * FILTERS / 4) + e);
                total = make_float4(total.x + v.x, total.y + v.y, total.z + v.z, total.w + v.w);
            }
            *(float4*)&out[e * 4 / FILTERS][e * 4 % FILTERS] = total;
        }
    }
    __syncthreads();  // the output tile is there
#if KIND == 2
    for (int e = thread; e < TILE * 12; e += THREADS) {  // in the order of the picture's memory: row, then column, then colour
        const int j = e % (TILE_W * 6), row = e / (TILE_W * 6), k = row % 2 * 6 + j % 6, p = row / 2 * TILE_W + j / 6;
        const int i = blockIdx.x / (GRID_SIDE / TILE_W) * TILE_H * 2 + row, j0 = blockIdx.x % (GRID_SIDE / TILE_W) * TILE_W * 6;
        st((float*)y + i * GRID_SIDE * 6 + j0 + j, (tanhf(out[p][k] + ld(gamma + j % 3)) + 1) / 2);
    }
#else
    for (int e = thread; e < TILE * FILTERS / 8; e += THREADS) {
        const int p = e / (FILTERS / 8), k = e % (FILTERS / 8) * 8;
        const float* o = &out[p][k];
        const uint4 v = make_uint4(pack_halves(o[0], o[1]), pack_halves(o[2], o[3]), pack_halves(o[4], o[5]), pack_halves(o[6], o[7]));
        st((uint4*)((half_t*)y + out_pixel(p, phase) * Y_STRIDE + blockIdx.y * FILTERS + k), v);
    }
    statistics(out, tiles, counters, gamma, beta, out_affine, phase, thread);
#endif
#endif
}
