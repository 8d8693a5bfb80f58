/* fuse-features.c -- adze-fuse-features: two files of features -> what fuses
 * them, or one file.
 * SPDX-License-Identifier: MIT  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/featureset.h"
#include "cli/io.h"
#include "cli/rows.h"
#include "tensor/npy.h"
#include "tensor/safetensors.h"
#include "tensor/set.h"
#include "train/dca.h"
#include "train/dcafile.h"
#include "train/nearest.h"

static const char *apply, *classes_path, *output;
static int64_t most;
static int how;

static const char *const hows[] = {"add", "concat", NULL};

static const struct opt options[] = {
    {0, "apply", OPT_TEXT, &apply, "FILE",
     "fuse by the projections in FILE, in place of fitting some"},
    {0, "classes", OPT_TEXT, &classes_path, "FILE",
     "the class of each row as an .npy of integers",
     .def = "the folder of its picture"},
    {0, "how", OPT_CHOICE, &how, "HOW",
     "with --apply: add the two projections, or concat them", .choices = hows,
     .def = "add"},
    {'n', "count", OPT_INT, &most, "N",
     "directions of each set to keep, those that part the classes most",
     .min = 1, .max = 1e9, .def = "all"},
    OPT_OUTPUT(&output),
    OPT_COMMON,
    {0}};

static const char *const examples[] = {
    "adze-fuse-features a.st b.st -O dca.st",
    "adze-fuse-features --apply=dca.st a.st b.st -O fused.npy",
    "adze-init ./fused.yaml --from a=a.st --from b=b.st --from fuse=dca.st",
    NULL};

static const struct command cmd = {
    .name = "fuse-features",
    .brief = "make one set of features of two, by their classes",
    .usage = "[--classes=FILE] [-n N] [--apply=FILE] [--how=add|concat] "
             "[-O FILE] FIRST SECOND",
    .options = options,
    .examples = examples,
    .min_args = 2,
    .max_args = 2,
};

struct job {
    struct featureset f[2];
    struct tensor x[2]; /* borrowed */
    struct dca d;
};

/* ---- classes ---- */

static int whole_numbers(int64_t *label, const struct tensor *t, int64_t n,
                         struct err *e)
{
    if (t->dtype == DTYPE_F32 || t->dtype == DTYPE_F64 ||
        t->dtype == DTYPE_F16 || t->shape.rank != 1 || t->shape.dim[0] != n)
        return err_set(e, ERR_FORMAT,
                       "holds %s %s, not an integer for each of %lld rows",
                       dtype_name(t->dtype), ST(&t->shape), (long long)n);
    dtype_convert(DTYPE_I64, label, t->dtype, t->data, n);
    return 0;
}

static int rising(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Each number of LABEL becomes its place among those that there are.  */
static int64_t rank(int64_t *label, int64_t n)
{
    int64_t *all = xcalloc((size_t)n, sizeof *all), k = 0;

    memcpy(all, label, (size_t)n * sizeof *all);
    qsort(all, (size_t)n, sizeof *all, rising);
    for (int64_t i = 0; i < n; i++)
        if (!k || all[i] != all[k - 1])
            all[k++] = all[i];
    for (int64_t i = 0; i < n; i++)
        label[i] =
            (int64_t *)bsearch(&label[i], all, (size_t)k, sizeof *all, rising) -
            all;
    free(all);
    return k;
}

static int read_classes(int64_t *label, int64_t *classes, int64_t n,
                        struct err *e)
{
    struct tensor t;
    int rc;

    if (npy_read(&t, classes_path, e) < 0)
        return -1;
    rc = whole_numbers(label, &t, n, e);
    tensor_unref(&t);
    if (rc < 0)
        return err_in(e, "'%s'", Q(classes_path));
    *classes = rank(label, n);
    return 0;
}

/* ---- fitting ---- */

/* Per cent of the samples that the means of classes tell apart.  */
static double share(const struct tensor *x, const struct dca_opts *o)
{
    return 100. * (double)nearest_mean(x, o->label, o->classes, o->pool) /
           (double)x->shape.dim[0];
}

static int fused_share(const struct job *j, const struct dca_opts *o,
                       enum dca_how as, double *per_cent, struct err *e)
{
    struct tensor y;

    if (dca_fuse(&y, &j->d, j->x, as, o->pool, e) < 0)
        return -1;
    *per_cent = share(&y, o);
    tensor_unref(&y);
    return 0;
}

/* What was fitted, and whether it helps.  */
static int note_fit(const struct job *j, const struct dca_opts *o,
                    struct err *e)
{
    double added, beside;

    if (cli.quiet)
        return 0;
    if (fused_share(j, o, DCA_ADD, &added, e) < 0 ||
        fused_share(j, o, DCA_CONCAT, &beside, e) < 0)
        return -1;
    cli_note("%lld and %lld features of %lld samples in %lld classes become "
             "%lld",
             (long long)j->x[0].shape.dim[1], (long long)j->x[1].shape.dim[1],
             (long long)j->x[0].shape.dim[0], (long long)o->classes,
             (long long)j->d.n);
    cli_note("nearest to the mean of their class: by the first %.4g %%, the "
             "second %.4g %%, added %.4g %%, side by side %.4g %%",
             share(&j->x[0], o), share(&j->x[1], o), added, beside);
    return 0;
}

static int fit(struct job *j, struct err *e)
{
    const int64_t n = j->x[0].shape.dim[0];
    int64_t *label = xcalloc((size_t)n, sizeof *label);
    struct dca_opts o = {.label = label, .most = most, .pool = cli_pool()};
    int rc = classes_path ? read_classes(label, &o.classes, n, e)
                          : featureset_classes(&j->f[0], label, &o.classes, e);

    if (rc == 0)
        rc = dca_fit(&j->d, j->x, &o, e);
    if (rc == 0)
        rc = note_fit(j, &o, e);
    for (int i = 0; rc == 0 && i < 2; i++)
        if (j->f[i].origin)
            j->d.origin[i] = xstrdup(j->f[i].origin);
    if (rc == 0)
        rc = dcafile_save(&j->d, output, e);
    free(label);
    return rc;
}

/* ---- applying ---- */

static int save(const struct job *j, const struct tensor *y, struct err *e)
{
    const struct featureset *named = &j->f[!j->f[0].path];
    struct set s;
    int rc;

    if (str_ends(output, ".npy"))
        return npy_save(y, output, e);
    set_init(&s);
    if (named->paths)
        set_meta_put(&s, "paths", named->paths);
    set_put(&s, "features", y);
    rc = safetensors_save(&s, output, e);
    set_release(&s);
    return rc;
}

/* Set I is what projection K was fitted to: 1, 0, or -1 if one is not known. */
static int is_of(const struct job *j, int i, int k)
{
    if (!j->f[i].origin || !j->d.origin[k])
        return -1;
    return !strcmp(j->f[i].origin, j->d.origin[k]);
}

static const char *const which[] = {"first", "second"};

/* Sets of one width fit either projection.  */
static int check_order(const struct job *j, struct err *e)
{
    for (int i = 0; i < 2; i++)
        if (!is_of(j, i, i) && is_of(j, i, !i) == 1)
            return err_set(e, ERR_FORMAT,
                           "the %s set is what the %s was when this was "
                           "fitted: %s",
                           which[i], which[!i],
                           is_of(j, !i, i) == 1
                               ? "give them in that order"
                               : "give one that the same model computed");
    return 0;
}

/* A model that was folded since gives the same, one that was trained on does
 * not.  */
static void note_others(const struct job *j)
{
    for (int i = 0; i < 2; i++)
        if (!is_of(j, i, i))
            cli_note("the %s set is of another model or value than that which "
                     "'%s' was fitted to",
                     which[i], Q(apply));
}

static int fuse(struct job *j, struct err *e)
{
    struct tensor y;
    int rc;

    if (dcafile_read(&j->d, apply, e) < 0)
        return -1;
    if (check_order(j, e) < 0 ||
        dca_fuse(&y, &j->d, j->x, how, cli_pool(), e) < 0)
        return err_in(e, "'%s'", Q(apply));
    note_others(j);
    rc = tensor_finite(&y)
             ? save(j, &y, e)
             : err_set(e, ERR_NONFINITE, "the fused features are not finite");
    tensor_unref(&y);
    return rc;
}

/* ---- both ---- */

static int check_options(struct err *e)
{
    if (apply && (classes_path || most))
        return err_set(e, ERR_USAGE,
                       "--%s is for fitting: --apply takes what was fitted",
                       most ? "count" : "classes");
    if (how && !apply)
        return err_set(e, ERR_USAGE,
                       "--how is for --apply: the same is fitted for both");
    return io_check_output(output, e);
}

static int run(struct job *j, const char *const *path, struct err *e)
{
    const struct cli_input inputs[] = {{path[0], "the first set"},
                                       {path[1], "the second"},
                                       {classes_path, "the classes"},
                                       {apply, "what was fitted"},
                                       {0}};

    if (cli_stdin_once(inputs, e) < 0)
        return -1;
    if (cli_not_input(inputs, output, "-O", e) < 0 || check_options(e) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (featureset_read(&j->f[i], path[i], e) < 0)
            return -1;
        j->x[i] = j->f[i].x;
    }
    if (featureset_match(&j->f[0], &j->f[1], e) < 0)
        return -1;
    return (apply ? fuse : fit)(j, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct job j = {0};
    const int rest = cli_start(&cmd, argc, argv);

    if (!output)
        output = "-";
    run(&j, (const char *const *)argv + rest, &e);
    for (int i = 0; i < 2; i++)
        featureset_release(&j.f[i]);
    dca_release(&j.d);
    return cli_end(&cmd, &e);
}
