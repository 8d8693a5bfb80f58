/* loop.h -- the training loop: epochs, evaluation, checkpoints, resuming.
 * SPDX-License-Identifier: MIT
 *
 * The state after step S is a function of the model, data, recipe, those of
 * the planner's constants that change what is computed, and instruction-set
 * level alone: not of threads, not of interruptions.  A
 * checkpoint holds all of it; a run that was killed and resumed ends in the
 * same bytes as one that was not.
 *
 * The run folder holds
 *   recipe.yaml     the resolved recipe
 *   metrics.csv     a row an epoch; metrics.jsonl the same as JSON lines
 *   last.st         the newest checkpoint
 *   epoch-000007.st  the newest `global.save.keep' checkpoints
 *   best.st         the model with the best top-1 on the evaluation data
 *   report.html, log.txt  curves, and a line an epoch (by adze-train)
 *   bad.jsonl       pictures that were skipped, with the reason
 *   lock            the process that trains there  */
#ifndef ADZE_TRAIN_LOOP_H
#define ADZE_TRAIN_LOOP_H

#include <signal.h>
#include <stdint.h>

struct dataset;
struct device;
struct err;
struct metric;
struct model;
struct plan;
struct planfile;
struct pool;
struct recipe;

/* One epoch, as logged.  */
struct train_row {
    int64_t epoch, step; /* finished epochs and steps */
    double lr;           /* of the last step */
    double loss, top1;   /* training: means over the epoch */
    double valid_loss, valid_top1, valid_top5; /* NaN where not evaluated */
    double loss_scale; /* what the next step begins with (lossscale.h) */
    int64_t overflows; /* steps computed again so far with a smaller one */
    int64_t bad;       /* pictures skipped so far in the run */
    double seconds, data_seconds; /* of this epoch in this process; 0 for
                                     rows read from a checkpoint */
};

struct train_opts {
    struct recipe *recipe;
    const struct dataset *train, *valid; /* valid may be NULL */
    const struct device *device;
    int prepare; /* pictures on the device, if it can */
    struct pool *pool;
    const struct planfile *plan; /* constants of the planner; NULL: the
                                    defaults */
    const char *run_dir;         /* NULL: none, and no checkpoints */
    const struct model *from;    /* when M is a checkpoint: the model that the
                                 run must have begun with; NULL: any */
    int64_t max_steps; /* stop after this many in all; 0: as the recipe
                            says */
    const volatile sig_atomic_t *stop; /* set by a signal: save, and end */
    volatile sig_atomic_t *save;       /* set by a signal: save, and go on */
    /* Progress: all rows so far behind each epoch, and every step (done,
     * total; of the running epoch, the mean loss and the share of the time
     * that went into waiting for data).  May be NULL.  */
    void (*on_epoch)(void *ctx, const struct train_row *row, int64_t n);
    void (*on_step)(void *ctx, int64_t step, int64_t steps, double loss,
                    double waiting);
    /* What the evaluation behind an epoch found, before on_epoch(); may be
     * NULL.  */
    void (*on_evaluated)(void *ctx, int64_t epoch, const struct metric *m);
    /* The run goes on from a checkpoint, behind STEP of STEPS; may be NULL.  */
    void (*on_resume)(void *ctx, int64_t step, int64_t steps);
    /* Before the first step; may be NULL.  */
    void (*on_plan)(void *ctx, const struct plan *p);
    /* Each picture of the training and the evaluation set that cannot be used
     * and is skipped, once in this process; may be NULL.  */
    void (*on_bad)(void *ctx, const char *reason);
    void *ctx;
};

/* The model that a run ends with: of the first epoch whose top-1 on the
 * evaluation data no other exceeds; epoch 0: the last, as there were none.  */
struct train_best {
    int64_t epoch;
    double top1;
};

/* Train M in place; if M is a checkpoint (run_dir/last.st), go on from there:
 * recipe and data must be those it was made with.  At the end M holds the best
 * model if there is evaluation data, else the last; *BEST says which.
 * M's history gets its entry.  ERR_NONFINITE (the step, the rate, the first
 * value that is not finite, once no smaller factor on the loss helps; the last
 * good checkpoint is untouched),
 * ERR_INTERRUPTED (saved), ERR_OUTPUT, ERR_INPUT; bad.jsonl is written
 * whatever ends the run.  */
int train_run(struct model *m, const struct train_opts *o,
              struct train_best *best, struct err *e);

#endif
