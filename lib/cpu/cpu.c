/* cpu.c -- see cpu.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/rearrange.h"

/* Families, best first; within one the widest instruction set comes first.
 * Each is ended by a kernel without a name.  */
static const struct kernel *const families[] = {
    KERNELS(pool_blocked_8_kernels),
    KERNELS(concat_blocked_8_kernels),
    KERNELS(eltwise_8_kernels),
    KERNELS_VNNI(linear_packed_8_kernels),
    KERNELS_VNNI(dwconv2d_blocked_8_kernels),
    KERNELS_VNNI(conv2d_direct_8_kernels),
    KERNELS(dwconv2d_blocked_kernels),
    KERNELS(conv2d_winograd_kernels),
    KERNELS(conv2d_direct_kernels),
    KERNELS(pool_blocked_kernels),
    KERNELS(dwconv2d_kernels),
    KERNELS(conv2d_gemm_kernels),
    KERNELS(eltwise_kernels),
    KERNELS(norm_blocked_kernels),
    KERNELS(linear_packed_kernels),
    linear_kernels,
    optim_kernels,
    KERNELS(maxpool_kernels),
    channels_blocked_kernels,
    pool_kernels,
    parts_kernels,
};

enum { MOST = 512, ALIGN = 64 };

struct cpu {
    struct device device;
    const struct kernel *kernel[MOST];
};

static void *alloc(size_t bytes, struct err *e)
{
    const size_t size = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    void *p = size < bytes ? NULL : aligned_alloc(ALIGN, size ? size : ALIGN);

    if (!p) {
        err_set(e, ERR_NOMEM, "cannot get %zu bytes of memory", bytes);
        return NULL;
    }
    memset(p, 0, size);
    return p;
}

static void release(void *p, size_t bytes)
{
    (void)bytes;
    free(p);
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
    c->device = (struct device){"cpu", c->kernel, 1, rearrange, alloc, release, device_cpu_free};
    return &c->device;
}
