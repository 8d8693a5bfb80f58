/* confusion.h -- what is taken for what: a confusion matrix as a table, a
 * picture or a page.
 * SPDX-License-Identifier: MIT
 *
 *     const struct confusion c = {"Confusion", names, k, metric.confusion};
 *     confusion_svg(&s, &c);
 *
 * A row is a true class, a column a predicted one, a cell the number of
 * pictures.  Names come from outside: they are escaped.  */
#ifndef ADZE_CLI_CONFUSION_H
#define ADZE_CLI_CONFUSION_H

#include <stdint.h>

struct str;

struct confusion {
    const char *title;
    const char *const *name; /* [k]; NULL: numbers */
    int64_t k;
    const int64_t *count; /* [k, k] */
};

/* Append rows of cells with tabs between them, names in front and above.  */
void confusion_tsv(struct str *s, const struct confusion *c);

/* Append an <svg> element.  Cells are as dark as their share of the pictures
 * of the true class, blue where that is right, orange where it is wrong; each
 * says its numbers to a pointer that rests on it.  Names, numbers and the
 * share that is right of each class stand there while there is room for them,
 * up to 80, 40 and 80 classes.  Cells that are 0 are not drawn.  */
void confusion_svg(struct str *s, const struct confusion *c);

/* Append a table (HTML) of the mistakes that are made most often.  */
void confusion_mistakes(struct str *s, const struct confusion *c);

#endif
