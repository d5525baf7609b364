/* The version of the program. Layer: base. */
#ifndef POINTSMAN_VERSION_H
#define POINTSMAN_VERSION_H

#define POINTSMAN_VERSION "0.1.0"

#endif
