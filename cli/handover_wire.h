/* What is said on <directory>/handover.sock, a SOCK_SEQPACKET socket. Layer: cli, private.
 *
 *   new ──connects──▶ old
 *   new ◀── OFFER ─── old   "pointsman 1 <drain ms> <sockets in all> <kinds of these>" and
 * descriptors new ── GO ──────▶ old   the old one drains and ends; without it nothing changes for
 * it
 *
 * A socket's kind is 'l' for a listener, 'a' for the admin address. Another version is refused by
 * its number. */
#ifndef CLI_HANDOVER_WIRE_H
#define CLI_HANDOVER_WIRE_H

#include <pointsman/compiler.h>
#include <pointsman/err.h>

#define HANDOVER_FORMAT  "pointsman 1 %u %zu "
#define HANDOVER_GO      "go"
#define HANDOVER_FDS_MAX 200 /* in one packet; the kernel allows 253 */
#define HANDOVER_TEXT    (HANDOVER_FDS_MAX + 64)

/* A socket bound or connected to <directory>/handover.sock; -1: errno says why. Paths of sockets
 * are at most 107 bytes long, directories are not: the way there is through /proc. */
MUST_CHECK int handover_bind(const char *directory);
MUST_CHECK int handover_connect(const char *directory, unsigned time_out_s);
void handover_unlink(const char *directory);

#endif
