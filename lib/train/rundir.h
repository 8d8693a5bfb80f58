/* rundir.h -- the files of a run folder, apart from the model itself.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_RUNDIR_H
#define ADZE_TRAIN_RUNDIR_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct train_row;

struct rundir {
    const char *path;
    int lock; /* descriptor */
};

/* Make the folder and take its lock; temporary files that a killed run left
 * go away; NEED bytes must be free for checkpoints.  ERR_OUTPUT: "in use by
 * process 123", "needs 8000000 bytes for checkpoints, 1000000 free".  */
int rundir_open(struct rundir *d, const char *path, size_t need, struct err *e);
void rundir_close(struct rundir *d);

/* ERR_OUTPUT, "in use by process 123", if another process trains in PATH now;
 * nothing is left there.  rundir_open() asks again.  */
int rundir_idle(const char *path, struct err *e);

/* Whether a run may begin in the folder PATH: ERR_USAGE if it holds a file of a
 * name that a run writes and never was one's, as it has no lock.  A folder that
 * is not there is fine.  */
int rundir_check(const char *path, struct err *e);
/* ERR_USAGE if RECIPE, the file that a run is begun with (NULL: none, or the
 * name of one that is compiled in), is the PATH/recipe.yaml that it would
 * write, and does not hold TEXT already.  */
int rundir_check_recipe(const char *path, const char *recipe, const char *text,
                        struct err *e);

/* PATH/NAME, malloc'ed.  */
char *rundir_path(const struct rundir *d, const char *name);
/* Write TEXT as NAME, atomically.  */
int rundir_write(const struct rundir *d, const char *name, const char *text,
                 struct err *e);
/* What is kept of a train_row, in checkpoints too, which name it so: a whole
 * number (int64_t) or a double at AT.  NULL-named at the end.  */
struct rundir_column {
    const char *name;
    size_t at;
    int whole;
};
extern const struct rundir_column rundir_columns[];

/* metrics.csv and metrics.jsonl from all rows.  */
int rundir_metrics(const struct rundir *d, const struct train_row *row,
                   int64_t n, struct err *e);
/* The newest epoch-*.st of the folder PATH but the file SKIP (NULL: none),
 * malloc'ed; NULL if there is none.  */
char *rundir_newest(const char *path, const char *skip);
/* Remove epoch-*.st but the newest KEEP.  */
void rundir_rotate(const struct rundir *d, int64_t keep);

#endif
