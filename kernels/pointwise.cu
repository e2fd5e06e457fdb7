// The ends of the network on rungs 1 to 5: picture to signed values, last sums to picture. float32.
//   picture_in    out[i] = 2 * x[i] - 1                                                          COUNT values
//   picture_out   out[p,c] = (tanh(b[c] + sum over s < SPLITS of part[s,p,c]) + 1) / 2, c < 3    part [SPLITS][PIXELS][COUT]
// Launch: 1-D grid, block 256, one thread per value of the output.
// Bytes: each value loaded and stored once; of COUT sums per pixel the first three are used.
#include "device.cuh"

#ifdef COUNT
extern "C" __global__ void __launch_bounds__(256) picture_in(const float* __restrict__ x, float* __restrict__ out)
{
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i < COUNT) st(out + i, 2 * ld(x + i) - 1);
}
#endif

#ifdef PIXELS
extern "C" __global__ void __launch_bounds__(256) picture_out(const float* __restrict__ part, const float* __restrict__ b,
                                                              float* __restrict__ out)
{
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= 3 * PIXELS) return;
    const int p = i / 3, c = i % 3;
    float v = ld(b + c);
    for (int s = 0; s < SPLITS; s++) v += ld(part + (s * PIXELS + p) * COUT + c);
    st(out + i, (tanhf(v) + 1) / 2);
}
#endif
