// Instance norm: each channel of y to mean beta and deviation gamma, population variance over the picture, epsilon 1e-5.
//   out[p,k] = (y[p,k] - mean_k) / sqrt(var_k + 1e-5) * gamma[k] + beta[k],   y[p,k] = sum over s < SPLITS of part[s,p,k]
// part [SPLITS][PIXELS][COUT] float32: partial sums of a split convolution (SPLITS 1: the convolution itself); their sum is left in
// part[0]. out: pixels out_stride values apart, float32, or halves where HALF is 1. COUT a multiple of 8.
// Launch: grid COUT/8, block 256: 8 channels (one sector of floats) x 32 pixels.
// Mean first, then squares of differences from it: one pass with sums of squares loses the variance of a channel far from zero.
// Bytes: SPLITS*PIXELS*COUT*4 loaded once, PIXELS*COUT*4 three times more (two of them from L1/L2), and the output stored.
#include "device.cuh"

// Sum over the 32 threads of each channel -> every thread of the channel.
__device__ float over_pixels(float v, float (*sums)[8], int row, int channel)
{
    v += shuffle_xor(v, 8);  // a warp holds 4 rows of 8 channels
    v += shuffle_xor(v, 16);
    __syncthreads();  // sums may still be read from the last call
    if (row % 4 == 0) sums[row / 4][channel] = v;
    __syncthreads();
    float total = 0;
    for (int i = 0; i < 8; i++) total += sums[i][channel];
    return total;
}

extern "C" __global__ void __launch_bounds__(256) instance_norm(float* __restrict__ part, const float* __restrict__ gamma,
                                                                const float* __restrict__ beta, void* __restrict__ out, int out_stride)
{
    __shared__ float sums[8][8];
    const int channel = threadIdx.x % 8, row = threadIdx.x / 8, k = blockIdx.x * 8 + channel;
    float sum = 0;
    for (int p = row; p < PIXELS; p += 32) {
        float v = 0;
        for (int s = 0; s < SPLITS; s++) v += ld_fresh(part + (s * PIXELS + p) * COUT + k);
        if (SPLITS > 1) st(part + p * COUT + k, v);  // read again below by this thread alone
        sum += v;
    }
    const float mean = over_pixels(sum, sums, row, channel) / PIXELS;
    float squares = 0;
    for (int p = row; p < PIXELS; p += 32) {
        const float d = ld_fresh(part + p * COUT + k) - mean;
        squares += d * d;
    }
    const float variance = over_pixels(squares, sums, row, channel) / PIXELS;
    const float scale = ld(gamma + k) * rsqrtf(variance + 1e-5f), shift = ld(beta + k);
    for (int p = row; p < PIXELS; p += 32) {
        const float v = (ld_fresh(part + p * COUT + k) - mean) * scale + shift;
#if HALF
        st((half_t*)out + p * out_stride + k, (half_t)pack_halves(v, 0));
#else
        st((float*)out + p * out_stride + k, v);
#endif
    }
}
