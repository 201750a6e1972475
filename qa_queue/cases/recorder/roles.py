"""Which of the roles in Chrome's accessibility tree are ARIA's; others are its own, such as StaticText."""

from __future__ import annotations

# WAI-ARIA 1.2, without `generic`, `none` and `presentation`, which name nothing that one could look for.
ARIA_ROLES = frozenset(
    """
    alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox
    complementary contentinfo definition deletion dialog directory document emphasis feed figure form grid gridcell
    group heading img insertion link list listbox listitem log main marquee math menu menubar menuitem
    menuitemcheckbox menuitemradio meter navigation note option paragraph progressbar radio radiogroup region row
    rowgroup rowheader scrollbar search searchbox separator slider spinbutton status strong subscript superscript
    switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem
    """.split()  # noqa: SIM905 - seventy quoted words would be harder to read
)
ROLE_SYNONYMS = {"image": "img"}
