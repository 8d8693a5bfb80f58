/* libraries.cu -- see libraries.cuh.
 * SPDX-License-Identifier: MIT  */
#include "cuda/libraries.cuh"

#include <stdlib.h>

void libraries_check(struct libraries *l, const char *call, int status)
{
    if (status)
        err_set(&l->failed, ERR_DEVICE, "%s failed with status %d", call, status);
}

int libraries_failed(struct libraries *l, struct err *e)
{
    const struct err was = l ? l->failed : (struct err){};

    if (!was.code)
        return 0;
    l->failed = (struct err){};
    return err_set(e, was.code, "computing on the GPU: %s", was.msg);
}

static void print(struct str *s, const char *name, size_t (*version)(void))
{
    const size_t n = version ? version() : 0;

    if (n)
        str_printf(s, "%s %zu.%zu.%zu", name, n / 10000, n % 10000 / 100, n % 100);
    else
        str_printf(s, "no %s", name);
}

struct libraries *libraries_open(const struct device *d, const char *name)
{
    struct libraries *l = (struct libraries *)xcalloc(1, sizeof *l);
    struct vendor *v = &l->vendor;

    vendor_open(v);
    if (v->lt.version && v->lt.create(&l->lt))
        v->lt = {};
    if (v->dnn.version && v->dnn.create(&l->dnn))
        v->dnn = {};
    if (v->dnn.version && v->dnn.set_stream(l->dnn, stream_of(d))) {
        v->dnn.destroy(l->dnn);
        l->dnn = NULL;
        v->dnn = {};
    }
    str_printf(&l->machine, "%s, ", name);
    print(&l->machine, "cuBLASLt", v->lt.version);
    str_add(&l->machine, ", ");
    print(&l->machine, "cuDNN", v->dnn.version);
    choices_load(&l->choices);
    return l;
}

void libraries_close(struct libraries *l)
{
    if (!l)
        return;
    choices_save(&l->choices);
    choices_release(&l->choices);
    str_release(&l->machine);
    if (l->lt)
        l->vendor.lt.destroy(l->lt);
    if (l->dnn)
        l->vendor.dnn.destroy(l->dnn);
    free(l);
}
