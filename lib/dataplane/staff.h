/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * Workers come and go with the configuration: worker i is the i-th of workers.cpus, so the last
 * ones leave, and another CPU in the list is another place for the same worker. There is room for
 * workers.most of them: a place without a worker has its rings and transmit queues, and no thread.
 *
 *     leaving: nothing new -> partitions, receive queues and producers move to the others
 *         -> the thread ends -> joined; the control thread stands in for it from then on
 *     coming: takes the newest snapshot over -> thread -> its share moves to it
 *
 * Control thread only.
 */

/* Room has been made; so many workers are there as the configuration says. */
void weir_staff_create(struct weir_dataplane *dataplane, const struct weir_config *config);
/* A configuration was taken over: begin to make it so. */
void weir_staff_follow(struct weir_dataplane *dataplane, const struct weir_config *config);
/* Go on with it, as far as it is time. Call now and then. */
void weir_staff_step(struct weir_dataplane *dataplane);
/* Places without a worker: something was published. */
void weir_staff_stand_in(struct weir_dataplane *dataplane);
/* Begin a worker's thread. 0 or -EBUSY. */
int weir_staff_launch(struct weir_worker *worker);
/* Workers spin or sleep, as the configuration says and the CPUs allow. */
void weir_staff_set_idle(struct weir_dataplane *dataplane, bool is_crowded);
