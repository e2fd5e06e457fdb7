// Rung 3, register tiles: an implicit matrix product on plain fp32 units. 64 positions x FILTERS filters per block; each thread keeps
// 4 x FILTERS/16 sums in registers, so a value read from shared memory serves four multiply-adds; loads are 16 bytes wide.
// Formula and constants: taps.cuh; w [phase][tap][C][K]; float32. CIN a multiple of 16; FILTERS 16, 32 or 64, a divisor of COUT.
// x: pixels x_stride floats apart, x_stride a multiple of 4; y: pixels y_stride floats apart.
// Launch: grid (COUT/FILTERS, ceil(POSITIONS/64), phases), block 256.
// Bytes through L1 per block and tap: 64*CIN*4 of x and FILTERS*CIN*4 of w.
#include "device.cuh"
#include "taps.cuh"

#define ALL_TAPS (TAPS * TAPS)
#define DEPTH 16             // channels per step
#define EACH (FILTERS / 16)  // filters per thread

#if FILTERS == 64
typedef float4 Filters;
#elif FILTERS == 32
typedef float2 Filters;
#else
typedef float Filters;
#endif

extern "C" __global__ void __launch_bounds__(256) conv_v3(const float* __restrict__ x, const float* __restrict__ w,
                                                          const float* __restrict__ b, float* __restrict__ y, int x_stride,
                                                          int y_stride, float slope)
{
    __shared__ __align__(16) float xs[DEPTH][64 + 4];  // 4 more keep the transposing stores on different banks
    __shared__ __align__(16) float ws[DEPTH][FILTERS];
    const int thread = threadIdx.x, phase = blockIdx.z;
    const int row0 = tap_origin(phase / 2), column0 = tap_origin(phase % 2);
    const int tx = thread % 16, ty = thread / 16;
    // The part of the tiles that this thread fetches: four channels of one position, EACH filters of one channel.
    const int n = thread / 4, quad = thread % 4 * 4, p = blockIdx.y * 64 + n;
    const int i = p / GRID_SIDE * STRIDE + row0, j = p % GRID_SIDE * STRIDE + column0;
    float sum[4][EACH] = {};
    for (int tap = 0; tap < ALL_TAPS; tap++) {
        const int r = i + tap / TAPS, s = j + tap % TAPS;
        const bool inside = p < POSITIONS && r >= 0 && r < SIZE && s >= 0 && s < SIZE;
        for (int c0 = 0; c0 < CIN; c0 += DEPTH) {
            const float4 v = ld_if(inside, (const float4*)(x + (r * SIZE + s) * x_stride + c0 + quad));
            const Filters f = ld((const Filters*)(w + ((phase * ALL_TAPS + tap) * CIN + c0 + ty) * COUT + blockIdx.x * FILTERS) + tx);
            __syncthreads();  // the last step is no longer needed
            xs[quad][n] = activate(v.x, slope);
            xs[quad + 1][n] = activate(v.y, slope);
            xs[quad + 2][n] = activate(v.z, slope);
            xs[quad + 3][n] = activate(v.w, slope);
            *(Filters*)&ws[ty][tx * EACH] = f;
            __syncthreads();  // the step is there
            for (int c = 0; c < DEPTH; c++) {
                const float4 a = *(const float4*)&xs[c][ty * 4];
                const float positions[4] = {a.x, a.y, a.z, a.w};
                for (int m = 0; m < 4; m++)
                    for (int e = 0; e < EACH; e++) sum[m][e] += positions[m] * ws[c][tx * EACH + e];
            }
        }
    }
    const int k = blockIdx.x * FILTERS + tx * EACH;
    const Filters bias = ld((const Filters*)(b + k));
    for (int m = 0; m < 4; m++) {
        const int position = blockIdx.y * 64 + ty * 4 + m;
        Filters out;
        for (int e = 0; e < EACH; e++) ((float*)&out)[e] = sum[m][e] + ((const float*)&bias)[e];
        if (position < POSITIONS) st((Filters*)(y + out_pixel(position, phase) * y_stride + k), out);
    }
}
