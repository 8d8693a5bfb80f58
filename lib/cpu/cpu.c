/* cpu.c -- see cpu.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/cpu.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/peak.h"
#include "cpu/rearrange.h"

/* Families, best first; within one the widest instruction set comes first.
 * Each is ended by a kernel without a name.  */
static const struct kernel *const families[] = {
    KERNELS(pool_blocked_8_kernels),
    KERNELS(channels_blocked_8_kernels),
    KERNELS(concat_blocked_8_kernels),
    KERNELS(eltwise_8_kernels),
    KERNELS_7(linear_packed_7_kernels, linear_packed_8_kernels),
    KERNELS_VNNI(dwconv2d_blocked_8_kernels),
    KERNELS_BESIDE(conv2d_winograd_8_kernels, conv2d_direct_7_kernels, conv2d_direct_8_kernels),
    KERNELS_BF16(linear_packed_kernels),
    KERNELS_BF16(linear_grad_kernels),
    KERNELS_BF16(dwconv2d_blocked_kernels),
    KERNELS_BF16(conv2d_winograd_kernels),
    KERNELS_BF16(conv2d_direct_kernels),
    KERNELS_BF16(mul_blocked_kernels),
    KERNELS_BF16(pool_blocked_kernels),
    KERNELS_BF16(reduce_blocked_kernels),
    KERNELS_BF16(upsample_blocked_kernels),
    KERNELS(dwconv2d_kernels),
    KERNELS(conv2d_gemm_kernels),
    KERNELS_BF16(eltwise_kernels),
    KERNELS_BF16(norm_blocked_kernels),
    KERNELS(attention_kernels),
    KERNELS(layernorm_kernels),
    KERNELS(matmul_kernels),
    KERNELS(permute_kernels),
    KERNELS(rowscale_kernels),
    linear_kernels,
    deform_kernels,
    dropout_kernels,
    mix_kernels,
    optim_kernels,
    KERNELS(maxpool_kernels),
    KERNELS_BF16(channels_blocked_kernels),
    pool_kernels,
    parts_kernels,
};

enum { MOST = 512, ALIGN = 64, HUGE = 2 << 20, LARGE = HUGE / 2 };

struct cpu {
    struct device device;
    unsigned features;
    const struct kernel *kernel[MOST];
};

/* Large blocks are pages of their own, of 2 MB where the system has such: those
 * of 4 kB cost a tenth of the time of training.  Nobody has touched them yet,
 * so that each lies near the thread that does first.  */
static void *map(size_t bytes)
{
    char *p = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const size_t before = p == MAP_FAILED ? 0 : (HUGE - (uintptr_t)p % HUGE) % HUGE;

    if (p == MAP_FAILED)
        return NULL;
    if (before)
        munmap(p, before);
    munmap(p + before + bytes, HUGE - before);
    madvise(p + before, bytes, MADV_HUGEPAGE);
    return p + before;
}

/* What a block takes: whole lines, or large pages.  */
static size_t rounded(size_t bytes)
{
    const size_t unit = bytes < LARGE ? ALIGN : HUGE;

    return bytes ? (bytes + unit - 1) / unit * unit : ALIGN;
}

static void *alloc(const struct device *d, size_t bytes, struct err *e)
{
    const size_t size = rounded(bytes);
    void *p = NULL;

    (void)d;
    if (size >= bytes && size < SIZE_MAX - HUGE)
        p = bytes < LARGE ? aligned_alloc(ALIGN, size) : map(size);
    if (!p) {
        err_set(e, ERR_NOMEM, "cannot get %zu bytes of memory", bytes);
        return NULL;
    }
    if (bytes < LARGE)
        memset(p, 0, size);
    return p;
}

static void release(const struct device *d, void *p, size_t bytes)
{
    (void)d;
    if (bytes < LARGE)
        free(p);
    else if (p)
        munmap(p, rounded(bytes));
}

static double peak(const struct device *d, enum peak what, struct pool *pool)
{
    return peak_per_second(((const struct cpu *)d)->features, what, pool);
}

void device_cpu_free(struct device *d)
{
    free(d);
}

struct device *device_cpu_new(unsigned features)
{
    struct cpu *c = xcalloc(1, sizeof *c);
    int n = 0;

    for (size_t i = 0; i < COUNT(families); i++)
        for (const struct kernel *k = families[i]; k->name; k++)
            if ((k->isa & features) == k->isa) {
                if (n + 1 == MOST)
                    BUG("more than %d kernels", MOST);
                c->kernel[n++] = k;
            }
    gemm_start();
    c->features = features;
    c->device = (struct device){
        .name = "cpu",
        .kernels = c->kernel,
        .reference = 1,
        .common = LAYOUT_C16,
        .rearrange = rearrange,
        .alloc = alloc,
        .release = release,
        .peak = peak,
        .free = device_cpu_free,
    };
    return &c->device;
}
