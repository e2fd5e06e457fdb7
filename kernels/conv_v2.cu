// Rung 2, coalesced: the input of 8 positions lies in shared memory, weights are transposed when they are loaded ([phase][tap][C][K]).
// This is what the Unity version did on a GTX 1070. Formula and constants: taps.cuh. float32.
// x: pixels x_stride floats apart; b [COUT]; y: pixels y_stride floats apart.
// Launch: grid (ceil(COUT/32), ceil(POSITIONS/8), phases), block (32, 8): one warp is 32 filters of one position.
// Bytes through L1 per block and tap: 8*CIN*4 of x, once for all 32 filters, and 8 times 32*CIN*4 of w: each warp reads its own.
#include "device.cuh"
#include "taps.cuh"

#define CHUNK (CIN < 32 ? CIN : 32)  // channels staged at a time
#define ALL_TAPS (TAPS * TAPS)

extern "C" __global__ void __launch_bounds__(256) conv_v2(const float* __restrict__ x, const float* __restrict__ w,
                                                          const float* __restrict__ b, float* __restrict__ y, int x_stride,
                                                          int y_stride, float slope)
{
    __shared__ float xs[ALL_TAPS][8][CHUNK];
    const int phase = blockIdx.z, k = blockIdx.x * 32 + threadIdx.x, position = blockIdx.y * 8 + threadIdx.y;
    const int thread = threadIdx.y * 32 + threadIdx.x;
    const int row0 = tap_origin(phase / 2), column0 = tap_origin(phase % 2);
    float sum = 0;
    for (int c0 = 0; c0 < CIN; c0 += CHUNK) {
        __syncthreads();  // the last chunk is no longer needed
        for (int e = thread; e < (ALL_TAPS * 8 * CHUNK + 255) / 256 * 256; e += 256) {
            const int c = e % CHUNK, n = e / CHUNK % 8, tap = e / (CHUNK * 8), p = blockIdx.y * 8 + n;
            const int r = p / GRID_SIDE * STRIDE + row0 + tap / TAPS, s = p % GRID_SIDE * STRIDE + column0 + tap % TAPS;
            const bool exists = tap < ALL_TAPS && c0 + c < CIN;
            const bool inside = exists && p < POSITIONS && r >= 0 && r < SIZE && s >= 0 && s < SIZE;
            const float v = activate(ld_if(inside, x + (r * SIZE + s) * x_stride + c0 + c), slope);
            if (exists) xs[tap][n][c] = v;
        }
        __syncthreads();  // the chunk is there
        for (int tap = 0; tap < ALL_TAPS; tap++)
            for (int c = 0; c < CHUNK && c0 + c < CIN; c++)
                sum += xs[tap][threadIdx.y][c] * ld_if(k < COUT, w + ((phase * ALL_TAPS + tap) * CIN + c0 + c) * COUT + k);
    }
    if (k < COUT && position < POSITIONS) st(y + out_pixel(position, phase) * y_stride + k, sum + ld(b + k));
}
