/* onnx_read_picture.c -- operators on pictures: other sizes, grids,
 * normalisation of each sample.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "format/onnx_import.h"
#include "op/ops.h"

enum { MOST = 1 << 16 };

/* ---- other sizes ---- */

/* Height and width from sizes, or from scales that are rounded down.  */
static int sizes_of(struct import *r, const onode *o, const struct value *x,
                    size_t scales, size_t sizes, int64_t *to)
{
    const struct tensor *t = import_const(r, o, scales);
    const Onnx__AttributeProto *list = import_attr(o, "scales");
    int n = 0;
    const int64_t *v = import_ints(r, o, sizes, &n, (uint64_t[]){0});

    for (int d = 0; d < 2; d++) {
        const float in = (float)x->shape.dim[2 + d];
        double size = 0;

        if (v && n == 4)
            size = (double)v[2 + d];
        else if (t && t->dtype == DTYPE_F32 && tensor_count(t) == 4)
            size = floorf(in * ((const float *)t->data)[2 + d]);
        else if (list && list->n_floats == 4)
            size = floorf(in * list->floats[2 + d]);
        if (!(size >= 1 && size <= MOST))
            return -1;
        to[d] = (int64_t)size;
    }
    return 0;
}

/* Rounding to the nearest pixel is rounding down where each becomes several. */
static int is_nearest(const onode *o, const struct value *x, const int64_t *to)
{
    const int whole =
        to[0] % x->shape.dim[2] == 0 && to[1] % x->shape.dim[3] == 0;
    const int floored = import_attr_is(o, "nearest_mode", "floor");

    if (import_attr_is(o, "coordinate_transformation_mode", "asymmetric"))
        return floored;
    return whole && !floored && !import_attr_is(o, "nearest_mode", "ceil") &&
           (!import_attr(o, "coordinate_transformation_mode") ||
            import_attr_is(o, "coordinate_transformation_mode", "half_pixel"));
}

static int is_between(const onode *o, const int64_t *to)
{
    const char *const mode = "coordinate_transformation_mode";

    if (import_attr_is(o, mode, "pytorch_half_pixel"))
        return to[0] > 1 && to[1] > 1;
    return !import_attr(o, mode) || import_attr_is(o, mode, "half_pixel") ||
           import_attr_is(o, mode, "align_corners");
}

static int add_upsample(struct import *r, const onode *o, const int64_t *to,
                        int linear, struct err *e)
{
    struct attrs a = {.n = 0};

    import_set_ints(r, &a, "size", to, 2);
    import_set(&a, "mode", linear ? "bilinear" : "nearest");
    import_set(
        &a, "align_corners",
        import_attr_is(o, "coordinate_transformation_mode", "align_corners")
            ? "yes"
            : "no");
    return import_as(r, o, "upsample", 1, &a, e);
}

static int read_resize(struct import *r, const onode *o, struct err *e)
{
    const struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    const int linear = import_attr_is(o, "mode", "linear");
    int64_t to[2];

    if (!x || x->shape.rank != 4 || import_attr(o, "axes") ||
        sizes_of(r, o, x, 2, 3, to) < 0)
        return import_no(o, "its sizes are not read", e);
    if (!linear && import_attr(o, "mode") &&
        !import_attr_is(o, "mode", "nearest"))
        return import_no(o, "its mode is not read", e);
    if (linear ? !is_between(o, to) : !is_nearest(o, x, to))
        return import_no(o, "its places are not read", e);
    return add_upsample(r, o, to, linear, e);
}

/* The operator of opsets 7 to 9: from the corner, rounded down.  */
static int read_upsample(struct import *r, const onode *o, struct err *e)
{
    const struct value *x = import_value(r, o, 0, VALUE_CONST, e);
    int64_t to[2];

    if (!x || x->shape.rank != 4 || sizes_of(r, o, x, 1, 2, to) < 0)
        return import_no(o, "its sizes are not read", e);
    if (import_attr(o, "mode") && !import_attr_is(o, "mode", "nearest"))
        return import_no(o, "its mode is not read", e);
    return add_upsample(r, o, to, 0, e);
}

static int read_gridsample(struct import *r, const onode *o, struct err *e)
{
    const int border = import_attr_is(o, "padding_mode", "border");
    struct attrs a = {.n = 0};

    if (import_attr(o, "mode") && !import_attr_is(o, "mode", "bilinear") &&
        !import_attr_is(o, "mode", "linear"))
        return import_no(o, "its mode is not read", e);
    if (!border && import_attr(o, "padding_mode") &&
        !import_attr_is(o, "padding_mode", "zeros"))
        return import_no(o, "its padding is not read", e);
    import_set(&a, "padding", border ? "border" : "zeros");
    import_set(&a, "align_corners",
               import_attr_int(o, "align_corners", 0) ? "yes" : "no");
    return import_as(r, o, "gridsample", 2, &a, e);
}

/* ---- normalisation of each sample ---- */

static int read_instancenorm(struct import *r, const onode *o, struct err *e)
{
    struct value *in[3] = {import_value(r, o, 0, VALUE_CONST, e)};
    struct attrs a = {.n = 0};
    struct node *n;

    if (!in[0] || in[0]->shape.rank < 3)
        return import_no(o, "its operand is no picture", e);
    for (int i = 1; i < 3; i++)
        if (!(in[i] = import_vector(r, o->input[i], in[0]->shape.dim[1], e)))
            return import_no(o, "its scale and shift are no constants", e);
    import_set_real(r, &a, "eps", import_attr_real(o, "epsilon", 1e-5));
    import_set(&a, "affine", "yes");
    n = import_add(r, o, "instancenorm", in, 3, &a, e);
    return n ? import_results(r, o, n, e) : -1;
}

const struct import_op import_pictures[] = {
    {"GridSample", 2, 2, read_gridsample},
    {"InstanceNormalization", 3, 3, read_instancenorm},
    {"Resize", 3, 4, read_resize},
    {"Upsample", 1, 2, read_upsample},
    {0},
};
