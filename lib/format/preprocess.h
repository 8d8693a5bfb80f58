/* preprocess.h -- how pictures become a network's input: what the model file
 * stores as JSON, networks state in YAML, and the loader does.
 * SPDX-License-Identifier: MIT
 *
 * Keys: size [h, w]; resize short, exact or none; resize_px; interpolation;
 * crop (centre); mean, std; order rgb or bgr; channels; orient exif or ignore;
 * decode (exact).  */
#ifndef ADZE_FORMAT_PREPROCESS_H
#define ADZE_FORMAT_PREPROCESS_H

#include <stdint.h>

#include "image/resize.h"

struct err;
struct picture_job;
struct str;
struct yaml;

enum preprocess_resize {
    PREPROCESS_NONE,  /* as it is; centre crop or pad if the size differs */
    PREPROCESS_SHORT, /* shorter side to resize_px, then centre crop */
    PREPROCESS_EXACT  /* to size */
};

struct preprocess {
    int size[2]; /* h, w of the network's input, pixels */
    enum preprocess_resize resize;
    int resize_px; /* for short */
    enum resize_kernel interpolation;
    float mean[3], std[3];
    int bgr;      /* channel order */
    int exif;     /* orient: exif (1) or ignore (0) */
    int channels; /* 3, or 1: the grey of the picture */
};

/* What torchvision's ImageNet weights want, at C x H x W: the shorter side to
 * 256/224 of the size, centre crop; pictures smaller than 96 pixels are
 * resized to size.  */
void preprocess_init(struct preprocess *p, int64_t c, int64_t h, int64_t w);

/* What is done to a picture of W x H pixels, but for the numbers.  */
void preprocess_job(const struct preprocess *p, int w, int h,
                    struct picture_job *j);

/* Append P as JSON, always the same text for the same P.  */
void preprocess_json(struct str *s, const struct preprocess *p);

/* Every key must be there.  ERR_FORMAT; ERR_UNSUPPORTED for a crop or decode
 * that is not done here.  */
int preprocess_parse(struct preprocess *p, const char *json, struct err *e);

/* Set what the mapping Y gives.  */
int preprocess_yaml(struct preprocess *p, const struct yaml *y, struct err *e);

#endif
