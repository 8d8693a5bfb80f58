/* preprocess.h -- struct preprocess of model.h as JSON and from YAML.
 * SPDX-License-Identifier: MIT
 *
 * Keys: size [h, w]; resize short, exact or none; resize_px; interpolation;
 * crop (centre); mean, std; order rgb or bgr; channels; orient exif or ignore;
 * decode (exact).  */
#ifndef ADZE_FORMAT_PREPROCESS_H
#define ADZE_FORMAT_PREPROCESS_H

#include <stdint.h>

struct err;
struct preprocess;
struct str;
struct yaml;

/* What torchvision's ImageNet weights want, at C x H x W: the shorter side to
 * 256/224 of the size, centre crop; pictures smaller than 96 pixels are
 * resized to size.  */
void preprocess_init(struct preprocess *p, int64_t c, int64_t h, int64_t w);

/* Append P as JSON, always the same text for the same P.  */
void preprocess_json(struct str *s, const struct preprocess *p);

/* Every key must be there.  ERR_FORMAT; ERR_UNSUPPORTED for a crop or decode
 * that is not done here.  */
int preprocess_parse(struct preprocess *p, const char *json, struct err *e);

/* Set what the mapping Y gives.  */
int preprocess_yaml(struct preprocess *p, const struct yaml *y, struct err *e);

#endif
