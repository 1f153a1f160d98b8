// Runs one of llama.cpp's kernels once between two marks: `rival NAME COUNT COLS`. For a dot product NAME (vec_dot) COUNT is the number of
// rows; for a product with repacked weights (gemm) or with one vector (gemv), 16 rows are multiplied with COUNT vectors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void dot(int n, float *s, size_t bs, const void *x, size_t bx, const void *y, size_t by, int nrc);
typedef void product(int n, float *s, size_t bs, const void *x, const void *y, int rows, int cols);

// The script writes KERNELS for the core: D(name, bytes of a row of 256 columns) and P(name, the same).
#define D(name, bytes) dot name;
#define P(name, bytes) product name;
KERNELS
#undef D
#undef P

struct kernel {
    const char *name;
    dot *dot;
    product *product;
    size_t bytes;
};
static const struct kernel kernels[] = {
#define D(name, bytes) {#name, name, NULL, bytes},
#define P(name, bytes) {#name, NULL, name, bytes},
    KERNELS
};

// Bytes of an SVE vector, as the emulated core has it; llama.cpp would ask the system.
int ggml_cpu_get_sve_cnt(void) { return 16; }

__attribute__((noinline)) void mark_start(void) { __asm__ volatile(""); }
__attribute__((noinline)) void mark_stop(void) { __asm__ volatile("" ::: "memory"); }

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int count = atoi(argv[2]), cols = atoi(argv[3]);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        const struct kernel *kernel = &kernels[i];
        if (strcmp(kernel->name, argv[1])) continue;
        size_t row = kernel->bytes * (size_t)(cols / 256), rows = kernel->dot ? (size_t)count : 16;
        char *weights = malloc(rows * row), *x = malloc((size_t)(count + 16) * (size_t)cols * 2);
        float *sums = calloc((rows + 16) * (size_t)(count + 16), sizeof *sums);
        memset(weights, 0x11, rows * row);
        memset(x, 0x11, (size_t)(count + 16) * (size_t)cols * 2);
        mark_start();
        if (kernel->dot)
            for (int r = 0; r < count; r++) kernel->dot(cols, sums + r, 0, weights + (size_t)r * row, 0, x, 0, 1);
        else
            kernel->product(cols, sums, 16, weights, x, count, 16);
        mark_stop();
        printf("%g\n", (double)sums[0]);
        return 0;
    }
    return 1;
}
