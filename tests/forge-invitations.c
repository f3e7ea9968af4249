/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Invitations that are right but for their secret: as many as are asked for, a line each.
 * usage: forge-invitations COUNT INVITATION
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/invitation.h"

int main(int argc, char **argv)
{
    struct invitation invitation;
    char text[INVITATION_TEXT_SIZE];
    struct error err;
    long count = argc == 3 ? strtol(argv[1], NULL, 10) : 0;

    if (count <= 0 || sodium_init() < 0) {
        fputs("usage: forge-invitations COUNT INVITATION\n", stderr);
        return 2;
    }
    if (invitation_decode(argv[2], &invitation, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (long i = 0; i < count; i++) {
        randombytes_buf(invitation.secret, sizeof invitation.secret);
        invitation_encode(&invitation, text);
        puts(text);
    }
    return 0;
}
