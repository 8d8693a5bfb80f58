/* vendor.c -- see vendor.h: the libraries of this machine.
 * SPDX-License-Identifier: MIT
 *
 * A library stays until the program ends: its threads and those of the driver
 * may still be in it.  */
#include "cuda/vendor.h"

#include <dlfcn.h>
#include <string.h>

struct call {
    const char *name;
    size_t at; /* of the pointer in its struct */
};

#define LT(field, name)                                   \
    {                                                     \
        "cublasLt" name, offsetof(struct cublaslt, field) \
    }
#define DNN(field, name)                            \
    {                                               \
        "cudnn" name, offsetof(struct cudnn, field) \
    }

static const struct call lt_calls[] = {
    LT(version, "GetVersion"),
    LT(create, "Create"),
    LT(destroy, "Destroy"),
    LT(desc_create, "MatmulDescCreate"),
    LT(desc_set, "MatmulDescSetAttribute"),
    LT(desc_destroy, "MatmulDescDestroy"),
    LT(layout_create, "MatrixLayoutCreate"),
    LT(layout_destroy, "MatrixLayoutDestroy"),
    LT(preference_create, "MatmulPreferenceCreate"),
    LT(preference_set, "MatmulPreferenceSetAttribute"),
    LT(preference_destroy, "MatmulPreferenceDestroy"),
    LT(heuristic, "MatmulAlgoGetHeuristic"),
    LT(matmul, "Matmul"),
    {NULL, 0},
};

static const struct call dnn_calls[] = {
    DNN(version, "GetVersion"),
    DNN(create, "Create"),
    DNN(destroy, "Destroy"),
    DNN(set_stream, "SetStream"),
    DNN(make, "BackendCreateDescriptor"),
    DNN(drop, "BackendDestroyDescriptor"),
    DNN(finalize, "BackendFinalize"),
    DNN(set, "BackendSetAttribute"),
    DNN(get, "BackendGetAttribute"),
    DNN(execute, "BackendExecute"),
    {NULL, 0},
};

static void *load(const char *const *names)
{
    void *library = NULL;

    for (; *names && !library; names++)
        library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
    return library;
}

/* Fill the struct TABLE with CALLS of the first library of NAMES that is
 * there; 0 if it lacks one.  */
static int find(void *table, const struct call *calls, const char *const *names)
{
    void *library = load(names);

    for (; library && calls->name; calls++) {
        void *f = dlsym(library, calls->name);

        if (!f)
            return 0;
        memcpy((char *)table + calls->at, &f, sizeof f);
    }
    return library != NULL;
}

void vendor_open(struct vendor *v)
{
    static const char *const lt[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
    static const char *const dnn[] = {"libcudnn.so.9", NULL};

    *v = (struct vendor){0};
    if (!find(&v->lt, lt_calls, lt) || v->lt.version() < LT_OLDEST)
        v->lt = (struct cublaslt){0};
    if (!find(&v->dnn, dnn_calls, dnn) || v->dnn.version() < DNN_OLDEST)
        v->dnn = (struct cudnn){0};
}
