/* io.c -- see io.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/io.h"

#include <string.h>
#include <sys/stat.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/str.h"
#include "base/stream.h"
#include "cli/common.h"
#include "cpu/cpu.h"
#include "cpu/peak.h"
#include "cuda/cuda.h"
#include "data/dataset.h"
#include "format/model.h"
#include "format/planfile.h"
#include "graph/device.h"
#include "pass/pass.h"
#include "run/plan.h"

static struct device *with_libraries(int index, struct err *e)
{
    struct str found = {0};
    struct device *d = device_cuda_with_libraries(index, &found, e);

    if (d)
        cli_detail("libraries: %s", str_text(&found));
    str_release(&found);
    return d;
}

/* "cuda" or "cuda:N", and "+libraries" behind it.  */
static int parse_cuda(const char *name, int64_t *index, int *libraries)
{
    struct str s = {0};
    int bad;

    *index = 0;
    *libraries = str_ends(name, "+libraries");
    str_addn(&s, name, strlen(name) - (*libraries ? strlen("+libraries") : 0));
    bad = strcmp(str_text(&s), "cuda") != 0 &&
          (!str_starts(str_text(&s), "cuda:") ||
           parse_i64(str_text(&s) + strlen("cuda:"), 0, 1023, index) < 0);
    str_release(&s);
    return bad ? -1 : 0;
}

int io_check_device(const char *name, struct err *e)
{
    int64_t index;
    int libraries;

    if (!strcmp(name, "cpu") || parse_cuda(name, &index, &libraries) == 0)
        return 0;
    return err_set(e, ERR_USAGE,
                   "no device '%s': cpu, cuda, cuda:N, cuda+libraries or "
                   "cuda:N+libraries",
                   Q(name));
}

struct device *io_device(const char *name, struct err *e)
{
    int64_t index;
    int libraries;

    if (io_check_device(name, e) < 0)
        return NULL;
    if (parse_cuda(name, &index, &libraries) < 0)
        return device_cpu_new(cpu_features());
    return libraries ? with_libraries((int)index, e)
                     : device_cuda_new((int)index, e);
}

void io_device_free(struct device *d)
{
    if (d)
        d->free(d);
}

int io_narrow(int choice, const struct graph *g, const struct device *d,
              struct err *e)
{
    if (choice == PRECISION_FP32)
        return choice;
    if (pass_quantized(g))
        return err_set(e, ERR_USAGE,
                       "the model computes in 8 bits: %s is for models of fp32",
                       plan_precisions[choice]);
    if (d->put) /* a GPU */
        return choice;
    if (choice == PRECISION_FP16)
        return err_set(e, ERR_DEVICE, "no fp16 on %s, only on a GPU: use %s",
                       d->name,
                       peak_has_bf16(cpu_features()) ? "bf16 or fp32" : "fp32");
    if (!(cpu_features() & CPU_AVX512BF16))
        return err_set(e, ERR_DEVICE,
                       "no bf16 at the level '%s' of the instruction set: use "
                       "fp32",
                       cpu_level_name(cpu_features()));
    if (!peak_has_bf16(cpu_features()))
        return err_set(e, ERR_DEVICE,
                       "this machine does not compute bf16 faster than fp32: "
                       "use fp32");
    return choice;
}

const char *const io_places[] = {"device", "cpu", NULL};

int io_prepare(int choice, const struct device *d)
{
    const int there = choice == 0 && d->preparing;

    cli_detail("pictures are prepared on %s", there ? d->name : "cpu");
    return there;
}

int io_plan(struct planfile *f, const char *path, struct err *e)
{
    if (path)
        return planfile_read(f, path, e);
    tuning_init(&f->tuning);
    f->hash[0] = 0;
    return 0;
}

void io_detail_plan(const struct plan *p)
{
    for (int i = 0; i < plan_steps(p); i++) {
        const struct plan_step_info s = plan_step(p, i);

        cli_detail("%s: %s", s.node, s.kernel);
    }
}

void io_note_missing(const struct dataset *d)
{
    enum { NAMED = 5 };
    const char *const *name = dataset_missing(d);
    struct str s = {0};
    int n = 0;

    for (; name && name[n]; n++)
        if (n < NAMED)
            str_printf(&s, "%s'%s'", n ? ", " : "", Q(name[n]));
    if (n == 1)
        cli_note("class %s has no picture", str_text(&s));
    else if (n)
        cli_note("%d classes have no picture: %s%s", n, str_text(&s),
                 n > NAMED ? ", ..." : "");
    str_release(&s);
}

struct model *io_model(const char *path, struct err *e)
{
    const char *from = path ? path : "-";

    if (cli_streams(from, "", e) < 0)
        return NULL;
    return model_read(from, e);
}

struct model *io_plain_model(const char *path, struct err *e)
{
    static const char *const options[] = {"checkpoint", "yes", NULL};
    static const char *const inputs[] = {NULL};
    struct model *m = io_model(path, e);

    if (m && !strcmp(m->kind, "checkpoint")) {
        model_history_add(m, "train", options, inputs);
        model_drop_state(m);
    }
    return m;
}

struct model *io_trained_model(const char *path, struct err *e)
{
    struct model *m = io_plain_model(path, e);

    if (!m || model_trained(m))
        return m;
    err_set(e, ERR_USAGE,
            model_head(m)
                ? "the model's head was never trained: train it with "
                  "adze-train or take weights with adze-init --from"
                : "the model was never trained: take the weights of one that "
                  "was with adze-init --from --head=new");
    if (path && strcmp(path, "-") != 0)
        err_in(e, "'%s'", Q(path));
    model_free(m);
    return NULL;
}

int io_write_model(const struct model *m, const char *path, struct err *e)
{
    const char *to = path ? path : "-";

    return cli_streams("", to, e) < 0 ? -1 : model_save(m, to, e);
}

int io_check_file(const char *path, struct err *e)
{
    struct stat st;
    struct out o;

    /* a FIFO would wait for its reader, and lose him */
    if (!path || !strcmp(path, "-") ||
        (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    if (out_open(&o, path, e) < 0)
        return -1;
    out_abort(&o);
    return 0;
}

int io_check_output(const char *path, struct err *e)
{
    return cli_streams("", path, e) < 0 ? -1 : io_check_file(path, e);
}
