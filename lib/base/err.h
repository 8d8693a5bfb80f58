/* err.h -- how a library function says that it could not do its work.
 * SPDX-License-Identifier: MIT
 *
 * Two kinds of failure exist.  The world failed (option, file, shape,
 * memory for tensors, device, number): the function fills a struct err and
 * returns -1 or NULL; the command prints `program: msg' and ends with
 * err_exit().  We failed (a broken invariant): BUG() says where and ends
 * the program with status 5.
 *
 *     struct err e = {0};
 *     if (npy_read(&t, path, &e) < 0)
 *         return err_in(&e, "'%s'", Q(path));
 *
 * Messages are lower case, say what failed first, and put the subject in
 * single quotes, passed through err_quote() if it came from outside.  */
#ifndef ADZE_BASE_ERR_H
#define ADZE_BASE_ERR_H

enum err_code {
    ERR_NONE = 0,
    ERR_NO,          /* the answer is no: differs, gate missed */
    ERR_USAGE,       /* option, recipe key or value */
    ERR_INPUT,       /* the system refused to read */
    ERR_FORMAT,      /* bytes that are not what they claim to be */
    ERR_SHAPE,       /* tensors that do not fit each other */
    ERR_UNSUPPORTED, /* sound, but not done here: op, dtype, device */
    ERR_OUTPUT,      /* the system refused to write */
    ERR_NOMEM,       /* a tensor too large for host or device */
    ERR_DEVICE,      /* no device, or it failed */
    ERR_NONFINITE,   /* a loss or gradient is not a number */
    ERR_INTERRUPTED, /* a signal; resumable */
    ERR_COUNT
};

struct err {
    enum err_code code;
    char msg[1024];
};

/* The exit status of a command that ends with CODE: 0 done, 1 no, 2 usage,
 * 3 input, 4 resource, 6 not a number, 75 interrupted but resumable.  */
int err_exit(enum err_code code);

/* Record the first error; later ones are dropped.  Always returns -1, so
 * that a failing function can end with `return err_set(e, ...)'.  */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put context in front: "'model.safetensors': tensor 'fc.bias': ...".
 * Always returns -1.  */
int err_in(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What was given is at fault (option, format, shape, or not done here): blame
 * it by CODE, whatever the reader below called it.  What the machine lacks
 * keeps its code.  Always returns -1.  */
int err_blame(struct err *e, enum err_code code);

/* S with control bytes, quotes and invalid UTF-8 escaped as \xNN, cut to
 * 200 bytes with "..." behind.  Returns BUF.  For names and paths from
 * outside.  */
enum { ERR_QUOTE = 832 };
const char *err_quote(char buf[ERR_QUOTE], const char *s);

/* Q(s): err_quote() into a temporary that lives to the end of the
 * enclosing block; for use as an argument of err_set().  */
#define Q(s) err_quote((char[ERR_QUOTE]){0}, (s))

/* A broken invariant: one line with file and line on stderr, exit 5 (abort
 * under ADZE_ABORT=1).  */
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
