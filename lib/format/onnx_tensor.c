/* onnx_tensor.c -- see onnx_tensor.h.
 * SPDX-License-Identifier: MIT  */
#include "format/onnx_tensor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/onnx_build.h"

int onnx_tensor_dtype(int type)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (onnx_type((enum dtype)i) == type)
            return i;
    return -1;
}

/* ---- in fields of their own ---- */

/* Each field holds numbers of one kind, whatever type they stand for.  */
static size_t listed(const Onnx__TensorProto *p)
{
    return p->n_float_data + p->n_int32_data + p->n_int64_data +
           p->n_double_data;
}

/* Number I of an int32_data: halves stand there as their bits.  */
static void put_int32(struct tensor *t, int64_t i, int32_t v)
{
    switch (dtype_size(t->dtype)) {
    case 1:
        ((uint8_t *)t->data)[i] = (uint8_t)v;
        break;
    case 2:
        ((uint16_t *)t->data)[i] = (uint16_t)v;
        break;
    default:
        ((int32_t *)t->data)[i] = v;
    }
}

static int load_listed(struct tensor *t, const Onnx__TensorProto *p,
                       struct err *e)
{
    const size_t n = (size_t)tensor_count(t), size = dtype_size(t->dtype);
    const void *from = NULL;

    if (t->dtype == DTYPE_F32 && p->n_float_data == n)
        from = p->float_data;
    else if (t->dtype == DTYPE_F64 && p->n_double_data == n)
        from = p->double_data;
    else if (t->dtype == DTYPE_I64 && p->n_int64_data == n)
        from = p->int64_data;
    if (from && n)
        memcpy(t->data, from, n * size);
    if (from)
        return 0;
    if (p->n_int32_data != n || size > 4 || t->dtype == DTYPE_F32)
        return err_set(e, ERR_FORMAT, "tensor '%s' %s has %zu numbers",
                       Q(p->name), ST(&t->shape), listed(p));
    for (size_t i = 0; i < n; i++)
        put_int32(t, (int64_t)i, p->int32_data[i]);
    return 0;
}

/* ---- in a file beside ---- */

enum { NAME_BYTES = 255 };

void onnx_beside_init(struct onnx_beside *b, const char *dir, size_t n)
{
    const size_t least = (size_t)16 << 30;

    b->dir = dir;
    b->left = n > least / 64 ? n * 64 : least;
}

/* What an entry of the tensor's external_data says.  */
struct extent {
    const char *file;
    int64_t offset, length; /* length -1: not said */
};

static int read_entry(struct extent *x, const Onnx__StringStringEntryProto *s)
{
    if (!s->key || !s->value)
        return -1;
    if (!strcmp(s->key, "location"))
        x->file = s->value;
    else if (!strcmp(s->key, "offset"))
        return parse_i64(s->value, 0, INT64_MAX, &x->offset);
    else if (!strcmp(s->key, "length"))
        return parse_i64(s->value, 0, INT64_MAX, &x->length);
    return 0; /* a checksum, or what else a later version says */
}

/* A plain name: no folder, none of the names that mean one.  */
static int is_plain(const char *file)
{
    return file && *file && strlen(file) <= NAME_BYTES && !strchr(file, '/') &&
           strcmp(file, ".") != 0 && strcmp(file, "..") != 0;
}

static int open_plain(const char *dir, const char *file, struct stat *st,
                      struct err *e)
{
    const int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int fd =
        at < 0
            ? -1
            : openat(at, file,
                     O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const int why = errno;

    if (at >= 0)
        close(at);
    if (fd < 0)
        return err_set(e, ERR_INPUT, "'%s' beside it: %s", Q(file),
                       why == ELOOP ? "a symbolic link is not followed; copy "
                                      "the file there"
                                    : strerror(why));
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    close(fd);
    return err_set(e, ERR_INPUT, "'%s' beside it is no regular file", Q(file));
}

static int read_at(int fd, void *to, size_t n, int64_t from)
{
    while (n) {
        const ssize_t got = pread(fd, to, n, from);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        to = (char *)to + got;
        from += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Memory is taken when the file is seen to have as much.  */
static int read_extent(struct tensor *t, enum dtype dt, const struct shape *s,
                       const struct extent *x, int fd, int64_t size,
                       struct err *e)
{
    const int64_t bytes = shape_count(s) * (int64_t)dtype_size(dt);

    if (x->offset > size || bytes > size - x->offset)
        return err_set(e, ERR_FORMAT, "'%s' beside it ends before the data",
                       Q(x->file));
    if (tensor_new(t, dt, s, e) < 0)
        return -1;
    if (read_at(fd, t->data, (size_t)bytes, x->offset) == 0)
        return 0;
    tensor_unref(t);
    return err_set(e, ERR_INPUT, "'%s' beside it cannot be read", Q(x->file));
}

static int load_extent(struct tensor *t, enum dtype dt, const struct shape *s,
                       const struct extent *x, const char *dir, struct err *e)
{
    struct stat st;
    const int fd = open_plain(dir, x->file, &st, e);
    const int bad = fd < 0 || read_extent(t, dt, s, x, fd, st.st_size, e) < 0;

    if (fd >= 0)
        close(fd);
    return bad ? -1 : 0;
}

/* The bytes of a tensor of shape S are counted before memory is taken.  */
static int check_beside(const struct extent *x, const Onnx__TensorProto *p,
                        int64_t bytes, struct onnx_beside *b, struct err *e)
{
    if (!b->dir)
        return err_set(e, ERR_UNSUPPORTED,
                       "tensor '%s' lies in another file, which cannot be "
                       "looked for here",
                       Q(p->name));
    if (!is_plain(x->file))
        return err_set(e, ERR_FORMAT,
                       "tensor '%s' lies in '%s', which is not beside the file",
                       Q(p->name), Q(x->file ? x->file : ""));
    if (x->length >= 0 && x->length != bytes)
        return err_set(e, ERR_FORMAT, "tensor '%s' has %lld bytes of %lld",
                       Q(p->name), (long long)x->length, (long long)bytes);
    if ((size_t)bytes > b->left)
        return err_set(e, ERR_FORMAT,
                       "its tensors name more data than a file "
                       "of this size has");
    b->left -= (size_t)bytes;
    return 0;
}

static int find_extent(struct extent *x, const Onnx__TensorProto *p,
                       struct err *e)
{
    *x = (struct extent){.length = -1};
    for (size_t i = 0; i < p->n_external_data; i++)
        if (read_entry(x, p->external_data[i]) < 0)
            return err_set(e, ERR_FORMAT,
                           "tensor '%s' does not say where its data is",
                           Q(p->name));
    return 0;
}

/* ---- the tensor ---- */

static int is_external(const Onnx__TensorProto *p)
{
    return p->has_data_location &&
           p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static int load_inside(struct tensor *t, enum dtype dt, const struct shape *s,
                       const Onnx__TensorProto *p, struct err *e)
{
    const size_t n = (size_t)shape_count(s), bytes = n * dtype_size(dt);

    if (p->has_raw_data ? p->raw_data.len != bytes : listed(p) != n)
        return err_set(e, ERR_FORMAT, "tensor '%s' %s has %zu %s of data",
                       Q(p->name), ST(s),
                       p->has_raw_data ? p->raw_data.len : listed(p),
                       p->has_raw_data ? "bytes" : "numbers");
    if (tensor_new(t, dt, s, e) < 0)
        return -1;
    if (p->has_raw_data && bytes)
        memcpy(t->data, p->raw_data.data, bytes);
    if (p->has_raw_data || load_listed(t, p, e) == 0)
        return 0;
    tensor_unref(t);
    return -1;
}

int onnx_tensor_load(struct tensor *t, const Onnx__TensorProto *p,
                     struct onnx_beside *b, struct err *e)
{
    const int dt = onnx_tensor_dtype(p->data_type);
    struct shape s = {.rank = (int)p->n_dims};
    struct extent x;
    int64_t count;

    if (dt < 0 || p->n_dims > SHAPE_MAX)
        return err_set(e, ERR_UNSUPPORTED, "tensor '%s' has type %d, rank %zu",
                       Q(p->name), (int)p->data_type, p->n_dims);
    const int64_t size = (int64_t)dtype_size((enum dtype)dt);

    for (int i = 0; i < s.rank; i++)
        s.dim[i] = p->dims[i];
    if (shape_check(&s, size, &count, e) < 0)
        return err_in(e, "tensor '%s'", Q(p->name));
    if (!is_external(p))
        return load_inside(t, (enum dtype)dt, &s, p, e);
    if (find_extent(&x, p, e) < 0 ||
        check_beside(&x, p, count * size, b, e) < 0)
        return -1;
    return load_extent(t, (enum dtype)dt, &s, &x, b->dir, e);
}
