"""Names that are part of the format but not supported by this version, so that they are not called unknown."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LATER_ACTIONS = _words("""
    reload back forward new_page switch_page close_page right_click tap clear drag focus blur scroll dialog download
    cookies local_storage headers permissions geolocation clock offline save_state mock block request extract set
    evaluate use group repeat for_each if
""")
LATER_STEP_KEYS = _words("if retry save_as")
LATER_CASE_KEYS = _words("data")
LATER_POINTER_KEYS = _words("modifiers force delay")
LATER_WAITS = _words("response function")
LATER_TARGET_KEYS = _words("has has_not has_not_text disabled expanded pressed selected include_hidden")
LATER_CHECKS = _words("""
    attached editable focused empty in_viewport values attribute class css id role accessible_name
    accessible_description aria_snapshot response request download dialog no_console_errors no_failed_requests
    variable screenshot accessibility web_vitals to_be_attached to_be_editable to_be_focused to_be_empty
    to_be_in_viewport to_have_values to_have_attribute to_have_class to_contain_class to_have_css to_have_id
    to_have_role to_have_accessible_name to_have_accessible_description to_match_aria_snapshot to_have_screenshot
    to_have_js_property
""")
