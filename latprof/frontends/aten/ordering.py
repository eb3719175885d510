"""How ATen's operators that order or pick elements, and detectors' own, are said in our words."""

from __future__ import annotations

from latprof.frontends.aten.calls import AtenCall, Translate, Translator, axis_of, shape_of


def _ordered(op: str) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        axis = axis_of(call.get("dim", -1), len(shape_of(t, call)))
        settings = {"k": call.arguments["k"]} if op == "topk" else {}
        t.emit(call, op, [call.arguments["self"]], axis=axis, **settings)

    return translate


def _kth_value(t: Translator, call: AtenCall) -> None:
    rank = len(shape_of(t, call))
    settings = {"k": call.get("k")} if call.get("k") is not None else {}  # a median has none
    if call.get("dim") is None and call.operator != "kthvalue":
        t.emit(call, f"aten.{call.operator}", [call.arguments["self"]])  # of all elements
        return
    t.emit(
        call,
        "kth_value",
        [call.arguments["self"]],
        axis=axis_of(call.get("dim", -1), rank),
        keepdims=bool(call.get("keepdim", False)),
        **settings,
    )


def _search(t: Translator, call: AtenCall) -> None:
    edges = call.get("boundaries", call.get("sorted_sequence"))
    t.emit(call, "searchsorted", [edges, call.get("self", call.get("input"))])


def _nonzero(t: Translator, call: AtenCall) -> None:
    t.emit(call, "nonzero", [call.arguments["self"]])


def _nms(t: Translator, call: AtenCall) -> None:
    threshold = call.get("iou_threshold", 0.5)
    boxes = shape_of(t, call, "dets")[0]
    operands = [call.arguments["dets"], call.arguments["scores"]]
    t.emit(call, "nms", operands, max_outputs=boxes, iou_threshold=threshold)


def _roi_align(t: Translator, call: AtenCall) -> None:
    a = call.arguments
    size = (a["pooled_height"], a["pooled_width"])
    ratio = call.get("sampling_ratio", 0)
    t.emit(call, "roi_align", [a["input"], a["rois"]], output_size=size, sampling_ratio=ratio)


ORDERING: dict[str, Translate] = {
    "topk": _ordered("topk"),
    "sort": _ordered("sort"),
    "argsort": _ordered("argsort"),
    **dict.fromkeys(("kthvalue", "median", "nanmedian"), _kth_value),
    **dict.fromkeys(("bucketize", "searchsorted"), _search),
    "nonzero": _nonzero,
    "torchvision.nms": _nms,
    "torchvision.roi_align": _roi_align,
}
