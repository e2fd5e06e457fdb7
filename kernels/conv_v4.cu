// Rung 4, tensor cores: an implicit matrix product in fp16 with fp32 sums. A block makes 16*WARPS_M filters of 64 positions; filters are
// the rows of mma (M), positions its columns (N), channels of one tap its depth (K = 16). Two sets of tiles in shared memory:
// while one is multiplied, the next weights are under way by cp.async (sm_80 and later) and the next activations in registers.
// Small grids are filled by split-K: each split sums its share of the channels and taps, the norm kernel adds the shares.
//   part[split][out pixel][k] = sum over its steps of  w[phase][tap][c][k] * act(x[...])        geometry and constants: taps.cuh
// x halves, pixels x_stride apart, 16-byte aligned; w halves in fragment order (prepare.fragments); part float32, no bias: every
// layer that runs here is normalised afterwards, which takes any bias away again, or adds it later.
// CIN, COUT multiples of 16; WARPS_M 1, 2 or 4 divides COUT/16; SPLIT divides nothing in particular, at most CIN/16*TAPS.
// Launch: grid (ceil(POSITIONS/64), COUT/16/WARPS_M, phases*SPLIT), block 128.
// Bytes through L1 per block and step (16 channels of one row of taps): TAPS*64*32 of x, WARPS_M*TAPS*512 of w.
#include "device.cuh"
#include "taps.cuh"

#define CHUNKS (CIN / 16)
#define STEPS (CHUNKS * TAPS)
#define WARPS_N (4 / WARPS_M)
#define NT (8 / WARPS_N)  // columns of 8 positions per warp
#define PITCH 24          // halves per staged pixel: 16, and 8 that keep the lanes of a fragment on different banks

__device__ __forceinline__ unsigned act2(unsigned v, float slope)
{
    return pack_halves(activate(low_half(v), slope), activate(high_half(v), slope));
}

extern "C" __global__ void __launch_bounds__(128) conv_v4(const half_t* __restrict__ x, const uint4* __restrict__ w,
                                                          float* __restrict__ part, int x_stride, float slope)
{
    __shared__ __align__(16) half_t xs[2][TAPS][64][PITCH];
    __shared__ uint4 ws[2][TAPS][WARPS_M][32];
    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32, wm = warp % WARPS_M, wn = warp / WARPS_M;
    const int phase = blockIdx.z / SPLIT, split = blockIdx.z % SPLIT;
    const int begin = STEPS * split / SPLIT, end = STEPS * (split + 1) / SPLIT;
    // This thread fetches 8 channels (one of two octets) of one position, for each tap of the row.
    const int n = thread / 2, octet = thread % 2 * 8, p = blockIdx.x * 64 + n;
    const int row = p / GRID_SIDE * STRIDE + tap_origin(phase / 2), column = p % GRID_SIDE * STRIDE + tap_origin(phase % 2);
    uint4 next[TAPS];
    float sum[NT][4] = {};

    auto fetch = [&](int step) {
        const int r = row + step % TAPS, c = step / TAPS * 16 + octet;
        for (int b = 0; b < TAPS; b++) {
            const int s = column + b;
            const bool inside = p < POSITIONS && r >= 0 && r < SIZE && s >= 0 && s < SIZE;
            next[b] = ld_if(inside, (const uint4*)(x + (r * SIZE + s) * x_stride + c));
        }
        for (int e = thread; e < TAPS * WARPS_M * 32; e += 128) {
            const int m = e / 32 % WARPS_M, b = e / (32 * WARPS_M), tile = phase * (COUT / 16) + blockIdx.y * WARPS_M + m;
            copy16_async(&ws[step % 2][b][m][e % 32], w + ((tile * CHUNKS + step / TAPS) * TAPS * TAPS + step % TAPS * TAPS + b) * 32 + e % 32);
        }
        copies_commit();
    };

    fetch(begin);
    for (int step = begin; step < end; step++) {
        for (int b = 0; b < TAPS; b++) {
            const uint4 v = next[b];
            *(uint4*)&xs[step % 2][b][n][octet] = make_uint4(act2(v.x, slope), act2(v.y, slope), act2(v.z, slope), act2(v.w, slope));
        }
        copies_wait<0>();
        __syncthreads();  // this step is there, and the other set of tiles is no longer needed
        if (step + 1 < end) fetch(step + 1);
#pragma unroll
        for (int b = 0; b < TAPS; b++) {
            const uint4 a = ws[step % 2][b][wm][lane];
#pragma unroll
            for (int t = 0; t < NT; t++) {
                const half_t* q = &xs[step % 2][b][(wn * NT + t) * 8 + lane / 4][lane % 4 * 2];
                mma_16x8x16(sum[t], a, *(const unsigned*)q, *(const unsigned*)(q + 8));
            }
        }
    }
    const int k = (blockIdx.y * WARPS_M + wm) * 16 + lane / 4;
    for (int t = 0; t < NT; t++)
        for (int i = 0; i < 4; i++) {  // a warp stores 4 pixels x 8 filters at a time: whole sectors
            const int position = blockIdx.x * 64 + (wn * NT + t) * 8 + lane % 4 * 2 + i % 2;
            if (position < POSITIONS)
                st(part + (split * OUT_SIDE * OUT_SIDE + out_pixel(position, phase)) * COUT + k + i / 2 * 8, sum[t][i]);
        }
}
