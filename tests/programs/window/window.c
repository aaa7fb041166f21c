// SPDX-License-Identifier: GPL-2.0
/*
 * A module that reads registers of a part as arch/um/drivers/virtio_pcidev.c does for a window of
 * memory: one request in a queue each, and a look for the answer again and again. The part is a GPIO
 * controller (device ID 41 of the virtio specification), the register the level of a line.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_gpio.h>
#include <uapi/linux/virtio_ids.h>

static int reads = 1000;
module_param(reads, int, 0);

struct window {
	struct virtio_gpio_request request;
	struct virtio_gpio_response response;
};

static int window_read(struct virtqueue *vq, struct window *w)
{
	struct scatterlist out, in, *sgs[] = { &out, &in };
	unsigned int len, tries;

	sg_init_one(&out, &w->request, sizeof(w->request));
	sg_init_one(&in, &w->response, sizeof(w->response));
	if (virtqueue_add_sgs(vq, sgs, 1, 1, w, GFP_KERNEL))
		return -ENOSPC;
	virtqueue_kick(vq);
	for (tries = 0; !virtqueue_get_buf(vq, &len); tries++) {
		if (tries > 1000000)
			return -ETIMEDOUT;
		udelay(1);
	}
	return w->response.status ? -EIO : w->response.value;
}

/* As there: whoever waits looks himself. */
static void window_answered(struct virtqueue *vq)
{
}

static int window_probe(struct virtio_device *vdev)
{
	struct virtqueue_info info[] = { { "registers", window_answered }, { "events", window_answered } };
	struct virtqueue *vqs[2], *vq;
	struct window *w;
	ktime_t began;
	int i, ret, high = 0;

	ret = virtio_find_vqs(vdev, 2, vqs, info, NULL);
	if (ret)
		return ret;
	vq = vqs[0];
	virtio_device_ready(vdev);
	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	w->request.type = cpu_to_le16(VIRTIO_GPIO_MSG_SET_DIRECTION);
	w->request.value = cpu_to_le32(VIRTIO_GPIO_DIRECTION_IN);
	ret = window_read(vq, w);
	w->request.type = cpu_to_le16(VIRTIO_GPIO_MSG_GET_VALUE);
	began = ktime_get();
	for (i = 0; i < reads && ret >= 0; i++) {
		ret = window_read(vq, w);
		high += ret > 0;
	}
	pr_info("window: reads %d high %d status %d ns %lld\n", i, high, ret, ktime_to_ns(ktime_sub(ktime_get(), began)));
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	kfree(w);
	return -ENODEV; /* what was to be done is done */
}

static const struct virtio_device_id window_ids[] = { { VIRTIO_ID_GPIO, VIRTIO_DEV_ANY_ID }, {} };

static struct virtio_driver window_driver = {
	.driver.name = "window",
	.id_table = window_ids,
	.probe = window_probe,
};
module_virtio_driver(window_driver);

MODULE_DESCRIPTION("Reads registers through a queue");
MODULE_LICENSE("GPL");
