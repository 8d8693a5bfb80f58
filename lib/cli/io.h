/* io.h -- what commands open: models, devices.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CLI_IO_H
#define ADZE_CLI_IO_H

struct device;
struct err;
struct graph;
struct model;
struct plan;
struct planfile;

/* The device NAME: "cpu", "cuda", "cuda:1", "cuda:1+libraries" (what of those
 * was found is said with -v); freed with io_device_free().
 * ERR_USAGE for another name, ERR_DEVICE if there is none.  */
struct device *io_device(const char *name, struct err *e);
void io_device_free(struct device *d);
/* Whether NAME is one of those, here or elsewhere; ERR_USAGE.  */
int io_check_device(const char *name, struct err *e);

/* CHOICE, of enum precision, if plans of G on D can compute so: plan_opts'
 * narrow.  ERR_DEVICE where D cannot, or not faster than in fp32; ERR_USAGE if
 * G has 8 bits.  */
int io_narrow(int choice, const struct graph *g, const struct device *d,
              struct err *e);

/* "device", "cpu", NULL: --prepare.  */
extern const char *const io_places[];
/* Whether D prepares the pictures, where CHOICE is an index of these; said with
 * -v.  */
int io_prepare(int choice, const struct device *d);

/* The constants of the planner in the file PATH; NULL: the defaults, with an
 * empty hash.  */
int io_plan(struct planfile *f, const char *path, struct err *e);

/* With -v: the kernel of each step of P, and what it begins with.  */
void io_detail_plan(const struct plan *p);

/* A notice of the model's classes that D has no picture of, in one line.  */
struct dataset;
void io_note_missing(const struct dataset *d);

/* Read the model PATH ("-" or NULL: standard input, which must not be a
 * terminal).  */
struct model *io_model(const char *path, struct err *e);

/* The same without what only training needs: a checkpoint becomes the model
 * that it holds, and its history says that it was trained.  */
struct model *io_plain_model(const char *path, struct err *e);

/* io_plain_model() for commands that use a model: one whose head was never
 * trained is refused with ERR_USAGE.  */
struct model *io_trained_model(const char *path, struct err *e);

/* Write M to PATH ("-" or NULL: standard output, which must not be a
 * terminal).  */
int io_write_model(const struct model *m, const char *path, struct err *e);

/* Whether the file PATH can be written, for commands that work long before
 * they write: what out_open() would say of it.  Nothing is left there, what
 * is there stays.  NULL and "-" are no files.  */
int io_check_file(const char *path, struct err *e);

/* What io_write_model() would say of PATH: the same, and that binary is not
 * written to a terminal ("-" or NULL: standard output).  */
int io_check_output(const char *path, struct err *e);

#endif
