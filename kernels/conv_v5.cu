// Rung 5, weight streaming: for layers of at most 16 positions, where the weights are nearly all there is to move. A tile of 64 positions
// would be mostly empty; here the columns of mma are the 8 or 16 positions that exist, and every lane reads its weights
// straight from global memory in the order in which it needs them, eight 16-byte loads under way at a time.
// Formula, types and fragment order as in conv_v4.cu, geometry in taps.cuh; POSITIONS <= 16. SPLIT divides CIN/16.
// Launch: grid (ceil(COUT/128), SPLIT, phases), block 256: each warp makes 16 filters of all positions.
// Bytes through L1 per block: 128*CIN/SPLIT*TAPS*TAPS*2 of w, each once in the whole launch, and TAPS*TAPS*POSITIONS*CIN/SPLIT*2 of x.
#include "device.cuh"
#include "taps.cuh"

#define CHUNKS (CIN / 16)
#define ALL_TAPS (TAPS * TAPS)
#define NT ((POSITIONS + 7) / 8)
#define AHEAD (ALL_TAPS < 8 ? ALL_TAPS : 8)
#define PITCH 24

__device__ __forceinline__ unsigned act2(unsigned v, float slope)
{
    return pack_halves(activate(low_half(v), slope), activate(high_half(v), slope));
}

extern "C" __global__ void __launch_bounds__(256) conv_v5(const half_t* __restrict__ x, const uint4* __restrict__ w,
                                                          float* __restrict__ part, int x_stride, float slope)
{
    __shared__ __align__(16) half_t xs[ALL_TAPS][NT * 8][PITCH];
    const int thread = threadIdx.x, lane = thread % 32, tile = blockIdx.x * 8 + thread / 32;
    const int split = blockIdx.y, phase = blockIdx.z;
    const bool exists = tile < COUT / 16;
    const uint4* weights = w + (phase * (COUT / 16) + tile) * CHUNKS * ALL_TAPS * 32 + lane;
    const int row0 = tap_origin(phase / 2), column0 = tap_origin(phase % 2);
    float sum[NT][4] = {};
    for (int chunk = CHUNKS / SPLIT * split; chunk < CHUNKS / SPLIT * (split + 1); chunk++) {
        __syncthreads();  // the last chunk is no longer needed
        for (int e = thread; e < ALL_TAPS * NT * 16; e += 256) {
            const int octet = e % 2 * 8, p = e / 2 % (NT * 8), tap = e / (NT * 16);
            const int r = p / GRID_SIDE * STRIDE + row0 + tap / TAPS, s = p % GRID_SIDE * STRIDE + column0 + tap % TAPS;
            const bool inside = p < POSITIONS && r >= 0 && r < SIZE && s >= 0 && s < SIZE;
            const uint4 v = ld_if(inside, (const uint4*)(x + (r * SIZE + s) * x_stride + chunk * 16 + octet));
            *(uint4*)&xs[tap][p][octet] = make_uint4(act2(v.x, slope), act2(v.y, slope), act2(v.z, slope), act2(v.w, slope));
        }
        __syncthreads();  // the chunk is there
        for (int tap0 = 0; tap0 < ALL_TAPS; tap0 += AHEAD) {
            uint4 a[AHEAD];
#pragma unroll
            for (int i = 0; i < AHEAD; i++) a[i] = ld_stream(exists, weights + (chunk * ALL_TAPS + tap0 + i) * 32);
#pragma unroll
            for (int i = 0; i < AHEAD; i++)
#pragma unroll
                for (int t = 0; t < NT; t++) {
                    const half_t* q = &xs[tap0 + i][t * 8 + lane / 4][lane % 4 * 2];
                    mma_16x8x16(sum[t], a[i], *(const unsigned*)q, *(const unsigned*)(q + 8));
                }
        }
    }
    const int k = tile * 16 + lane / 4;
    for (int t = 0; t < NT; t++)
        for (int i = 0; i < 4; i++) {
            const int position = t * 8 + lane % 4 * 2 + i % 2;
            if (exists && position < POSITIONS)
                st(part + (split * OUT_SIDE * OUT_SIDE + out_pixel(position, phase)) * COUT + k + i / 2 * 8, sum[t][i]);
        }
}
