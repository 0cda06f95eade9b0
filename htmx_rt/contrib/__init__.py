"""Bridges to other libraries. Nothing inside the kit imports them; each needs the extra it is named after."""
