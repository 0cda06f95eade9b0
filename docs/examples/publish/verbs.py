"""The verbs on HTML, one by one."""

from htmx_rt import Realtime


def every_verb(rt: Realtime) -> None:
    row = rt.render("order.html", number=7, dish="Soup")

    kitchen = rt.topic("kitchen")
    kitchen.append("#orders", row)  # at the end of #orders
    kitchen.prepend("#orders", row)  # at its start
    kitchen.before("#order-3", row)  # beside another row
    kitchen.after("#order-3", row)
    kitchen.replace("#order-7", row)  # the element itself
    kitchen.update("#orders", row)  # what is inside it
    kitchen.reset("#orders", row)  # the same, keeping nothing that was typed there
    kitchen.text("#waiting", 4)  # its text
    kitchen.remove("#order-7")
