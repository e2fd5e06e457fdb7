// One geometry for both convolutions, from rung 2 on. A transposed convolution with stride 2 is four convolutions ("phases") with
// 2x2 taps and stride 1: phase (p,q) makes the outputs (2i+p, 2j+q). So for a grid of G x G positions (i,j), everywhere:
//   y[position] = sum over taps a,b < TAPS and c of  w[phase][a*TAPS+b][c][k] * x[STRIDE*i + origin + a, STRIDE*j + origin' + b, c]
// Constants: SIZE input side, CIN, COUT, DECONV 0 or 1. The weights are brought into this order when they are loaded.
#define TAPS (DECONV ? 2 : 4)
#define STRIDE (DECONV ? 1 : 2)
#define GRID_SIDE (DECONV ? SIZE : SIZE / 2)
#define OUT_SIDE (DECONV ? 2 * SIZE : SIZE / 2)
#define POSITIONS (GRID_SIDE * GRID_SIDE)

// First input row (p) or column (q) that position 0 of a phase reads.
__device__ __forceinline__ int tap_origin(int p) { return DECONV ? p - 1 : -1; }

// Output pixel of a position.
__device__ __forceinline__ int out_pixel(int position, int phase)
{
    const int i = position / GRID_SIDE, j = position % GRID_SIDE;
    return DECONV ? (2 * i + phase / 2) * OUT_SIDE + 2 * j + phase % 2 : position;
}
