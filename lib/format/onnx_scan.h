/* onnx_scan.h -- look through protobuf bytes before memory is taken for them.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_FORMAT_ONNX_SCAN_H
#define ADZE_FORMAT_ONNX_SCAN_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct err;

/* Walk the N bytes at P as a message of type D without recursion: every tag,
 * length and number is whole, messages are nested at most 32 deep, known
 * fields have their wire type, and what unpacking will take stays under LIMIT
 * bytes.  ERR_FORMAT names the byte.  */
int onnx_scan(const unsigned char *p, size_t n,
              const ProtobufCMessageDescriptor *d, size_t limit, struct err *e);

#endif
