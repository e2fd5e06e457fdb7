// Encoder 1 of rungs 4 to 6: picture to halves. 4x4 convolution, stride 2, padding 1, 3 channels to COUT; no norm follows.
//   y[i,j,k] = b[k] + sum over u,v,c of  w[u,v,c,k] * (2 * x[2i-1+u, 2j-1+v, c] - 1)     (0 outside, where there is no picture)
// x [SIZE,SIZE,3] float32 in 0..1; w [16][3][COUT] float32; y halves, pixels y_stride apart, 16-byte aligned. COUT a multiple of 16.
// Three channels are too few for tensor cores (K = 48, of which rows of x give 12): plain fp32, 48 multiply-adds per output.
// Launch: grid (SIZE/2/8, SIZE/2/8), block 256: 8x8 output pixels, each thread 8 filters of one pixel at a time.
// Bytes through L1 per block: 18*18*3*4 of x, 48*COUT*4 of w, 64*COUT*2 of y; the stores are whole sectors.
#include "device.cuh"

#define OUT_SIDE (SIZE / 2)

extern "C" __global__ void __launch_bounds__(256) first(const float* __restrict__ x, const float* __restrict__ w,
                                                        const float* __restrict__ b, half_t* __restrict__ y, int y_stride)
{
    __shared__ float xs[18][18][3];
    __shared__ __align__(16) float ws[49][COUT];  // the last row is b
    const int i0 = blockIdx.y * 8, j0 = blockIdx.x * 8;
    for (int e = threadIdx.x; e < 18 * 54; e += 256) {
        const int r = 2 * i0 - 1 + e / 54, s = 2 * j0 - 1 + e % 54 / 3;
        const bool inside = r >= 0 && r < SIZE && s >= 0 && s < SIZE;
        const float v = ld_if(inside, x + (r * SIZE + s) * 3 + e % 3);
        xs[e / 54][e % 54 / 3][e % 3] = inside ? 2 * v - 1 : 0;
    }
    for (int e = threadIdx.x; e < 48 * COUT / 4; e += 256) *((float4*)ws + e) = ld((const float4*)w + e);
    for (int e = threadIdx.x; e < COUT / 4; e += 256) *((float4*)ws[48] + e) = ld((const float4*)b + e);
    __syncthreads();
    for (int e = threadIdx.x; e < 64 * COUT / 8; e += 256) {
        const int k = e % (COUT / 8) * 8, p = e / (COUT / 8), i = p / 8, j = p % 8;
        const float4 b0 = *(const float4*)&ws[48][k], b1 = *(const float4*)&ws[48][k + 4];
        float sum[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
        for (int tap = 0; tap < 48; tap++) {
            const float v = xs[2 * i + tap / 12][2 * j + tap / 3 % 4][tap % 3];
            const float4 w0 = *(const float4*)&ws[tap][k], w1 = *(const float4*)&ws[tap][k + 4];
            const float f8[8] = {w0.x, w0.y, w0.z, w0.w, w1.x, w1.y, w1.z, w1.w};
            for (int f = 0; f < 8; f++) sum[f] += v * f8[f];
        }
        const uint4 out = make_uint4(pack_halves(sum[0], sum[1]), pack_halves(sum[2], sum[3]), pack_halves(sum[4], sum[5]),
                                     pack_halves(sum[6], sum[7]));
        st((uint4*)(y + ((i0 + i) * OUT_SIDE + j0 + j) * y_stride + k), out);
    }
}
