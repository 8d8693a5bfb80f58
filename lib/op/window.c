/* window.c -- the geometry that convolution and pooling share.
 * SPDX-License-Identifier: MIT  */
#include "op/window.h"

#include <string.h>

#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"

/* Far above any real filter, small enough that no sum overflows.  */
enum { SIZE_MAX_1D = 1 << 24 };

static int has(const struct node *n, const char *attr)
{
    return attr_index(n->op, attr) >= 0;
}

static void get(int64_t *v, int count, const struct node *n, const char *name)
{
    int got;
    const int64_t *from = attr_ints(n, name, &got);
    memcpy(v, from, (size_t)count * sizeof *v);
}

static void read_attrs(struct window *w, const struct node *n)
{
    get(w->kernel, 2, n, "kernel");
    get(w->stride, 2, n, "stride");
    get(w->pad, 4, n, "pad");
    w->dilation[0] = w->dilation[1] = 1;
    if (has(n, "dilation"))
        get(w->dilation, 2, n, "dilation");
}

/* The output size along direction D, or 0 if no window fits.  */
static int64_t positions(const struct window *w, int d, int ceil_mode)
{
    const int64_t span = w->dilation[d] * (w->kernel[d] - 1) + 1;
    const int64_t room = w->in[d] + w->pad[d] + w->pad[d + 2] - span;
    int64_t out;
    if (room < 0)
        return 0;
    out = (room + (ceil_mode ? w->stride[d] - 1 : 0)) / w->stride[d] + 1;
    if (ceil_mode && (out - 1) * w->stride[d] >= w->in[d] + w->pad[d])
        out--;
    return out;
}

int window_infer(struct window *w, struct node *n, const struct shape *x,
                 struct err *e)
{
    const int ceil_mode = has(n, "ceil_mode") && attr_int(n, "ceil_mode");
    int64_t kernel[2];
    if (attr_expand(n, "kernel", 2, 1, SIZE_MAX_1D, e) < 0 ||
        attr_expand(n, "stride", 2, 0, SIZE_MAX_1D, e) < 0 ||
        attr_expand(n, "pad", 4, 0, SIZE_MAX_1D, e) < 0 ||
        (has(n, "dilation") &&
         attr_expand(n, "dilation", 2, 1, SIZE_MAX_1D, e) < 0))
        return -1;
    read_attrs(w, n);
    if (!w->stride[0] || !w->stride[1]) {
        memcpy(kernel, w->kernel, sizeof kernel);
        attr_set_ints(n, "stride", kernel, 2);
        memcpy(w->stride, kernel, sizeof kernel);
    }
    for (int d = 0; d < 2; d++) {
        w->in[d] = x->dim[d + 2];
        w->out[d] = positions(w, d, ceil_mode);
        if (w->out[d] < 1)
            return err_set(e, ERR_SHAPE,
                           "window [%lld,%lld] with padding [%lld,%lld,%lld,"
                           "%lld] does not fit into input %s",
                           (long long)w->kernel[0], (long long)w->kernel[1],
                           (long long)w->pad[0], (long long)w->pad[1],
                           (long long)w->pad[2], (long long)w->pad[3], ST(x));
    }
    return 0;
}

int window_pool(const struct window *w, struct err *e)
{
    for (int d = 0; d < 4; d++)
        if (2 * w->pad[d] > w->kernel[d % 2])
            return err_set(e, ERR_USAGE,
                           "attribute pad = %lld is more than half of the "
                           "window of %lld",
                           (long long)w->pad[d], (long long)w->kernel[d % 2]);
    return 0;
}

struct window window_of(const struct node *n, const struct shape *x,
                        const struct shape *y)
{
    struct window w;
    read_attrs(&w, n);
    for (int d = 0; d < 2; d++) {
        w.in[d] = x->dim[d + 2];
        w.out[d] = y->dim[d + 2];
    }
    return w;
}

void window_taps(const struct window *w, int d, int64_t p, int64_t *start,
                 int64_t *lo, int64_t *hi)
{
    const int64_t step = w->dilation[d];
    *start = p * w->stride[d] - w->pad[d];
    *lo = *start < 0 ? (-*start + step - 1) / step : 0;
    *hi = *start < w->in[d] ? (w->in[d] - *start + step - 1) / step : 0;
    if (*hi > w->kernel[d])
        *hi = w->kernel[d];
    if (*lo > *hi)
        *lo = *hi;
}
