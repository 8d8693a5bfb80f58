/* dcafile.c -- see dcafile.h.
 * SPDX-License-Identifier: MIT  */
#include "train/dcafile.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"

static const char *const weights[] = {"first.weight", "second.weight"};
static const char *const biases[] = {"first.bias", "second.bias"};
static const char *const origins[] = {"first", "second"};

int dcafile_save(const struct dca *d, const char *path, struct err *e)
{
    struct set s;
    int rc;

    set_init(&s);
    set_meta_put(&s, "adze.format", "1");
    set_meta_put(&s, "adze.kind", "tensors");
    for (int i = 0; i < 2; i++) {
        set_put(&s, weights[i], &d->weight[i]);
        set_put(&s, biases[i], &d->bias[i]);
        if (d->origin[i])
            set_meta_put(&s, origins[i], d->origin[i]);
    }
    rc = safetensors_save(&s, path, e);
    set_release(&s);
    return rc;
}

/* The tensor NAME of RANK, and of D->n rows once those are known.  */
static int get(struct dca *d, struct tensor *to, const struct set *s,
               const char *name, int rank, struct err *e)
{
    const struct tensor *t = set_get(s, name);

    if (!t)
        return err_set(e, ERR_FORMAT,
                       "has no tensor '%s'; adze-fuse-features writes it",
                       name);
    if (t->dtype != DTYPE_F32 || t->shape.rank != rank || !tensor_count(t) ||
        (d->n && t->shape.dim[0] != d->n))
        return err_set(e, ERR_FORMAT,
                       "tensor '%s' is %s %s, no projection of pairs", name,
                       dtype_name(t->dtype), ST(&t->shape));
    if (!tensor_finite(t))
        return err_set(e, ERR_FORMAT,
                       "tensor '%s' holds a number that is not finite", name);
    d->n = t->shape.dim[0];
    *to = tensor_ref(t);
    return 0;
}

static int from_set(struct dca *d, const struct set *s, struct err *e)
{
    *d = (struct dca){0};
    for (int i = 0; i < 2; i++)
        if (get(d, &d->weight[i], s, weights[i], 2, e) < 0 ||
            get(d, &d->bias[i], s, biases[i], 1, e) < 0) {
            dca_release(d);
            return -1;
        }
    for (int i = 0; i < 2; i++)
        if (set_meta_get(s, origins[i]))
            d->origin[i] = xstrdup(set_meta_get(s, origins[i]));
    return 0;
}

int dcafile_read(struct dca *d, const char *path, struct err *e)
{
    struct set s;
    int rc;

    if (safetensors_read(&s, path, e) < 0)
        return -1;
    rc = from_set(d, &s, e);
    set_release(&s);
    return rc < 0 ? err_in(e, "'%s'", Q(path)) : 0;
}

int fuzz_dcafile(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct dca d;
    struct set s;
    int rc;

    if (safetensors_parse(&s, p, n, NULL, 0, &e) < 0)
        return -1;
    rc = from_set(&d, &s, &e);
    if (rc == 0)
        dca_release(&d);
    set_release(&s);
    return rc;
}
