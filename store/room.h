/* The ballast: a file that keeps room on the disk, so that claims and outcomes still fit once the
 * disk is full. All it knows lies in the directory, so any thread may call. Layer: store. */
#ifndef POINTSMAN_STORE_ROOM_H
#define POINTSMAN_STORE_ROOM_H

#include <stdbool.h>

#include <pointsman/compiler.h>

/* Removes the ballast. False: there was none. */
bool room_give(const char *directory);
/* Makes the ballast where it is missing and four times its size is free. 16 MiB; on a small disk a
 * sixteenth of it. False: it is missing still. */
MUST_CHECK bool room_keep(const char *directory);

#endif
