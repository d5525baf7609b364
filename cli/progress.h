/* How far a long command is: a bar on a terminal, the pace it keeps, and Ctrl-C between two steps.
 * Layer: cli, private. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    uint64_t total, done, refused;
    uint64_t rate; /* steps per second; 0: as fast as it goes */
    uint64_t start_us;
    bool bar; /* stderr is a terminal */
};

/* From here on Ctrl-C is a request to stop; a second one ends the program at once. */
void progress_begin(struct progress *p, uint64_t total, uint64_t rate);
/* Waits until the pace allows the next step. False: Ctrl-C. */
bool progress_pace(const struct progress *p);
void progress_step(struct progress *p, uint64_t done, uint64_t refused);
/* Ends the bar's line. */
void progress_end(const struct progress *p);

#endif
