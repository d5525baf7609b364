/* Tells the service manager how far the process is. Layer: cli, private. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <pointsman/compiler.h>

/* Lines of sd_notify(3) ("READY=1"); nothing happens without NOTIFY_SOCKET in the environment. */
void notify(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
