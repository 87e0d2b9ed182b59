"""Files of the children in need census, made up: the XML of invented children."""


def element(name, *inside):
    """An element; of nothing, when what is inside is None."""
    if inside == (None,):
        return ""
    if len(inside) == 1 and not str(inside[0]).startswith("\n"):
        return f"\n<{name}>{inside[0]}</{name}>"
    return f"\n<{name}>{''.join(inside)}\n</{name}>"


def plan(start, end=None, category="NEG", latest="NEG", previous=0, reviews=()):
    held = element("Reviews", *(element("CPPreviewDate", day) for day in reviews)) if reviews else ""
    return element(
        "ChildProtectionPlans",
        element("CPPstartDate", start),
        element("CPPendDate", end),
        element("InitialCategoryOfAbuse", category),
        element("LatestCategoryOfAbuse", latest),
        element("NumberOfPreviousCPP", previous),
        held,
    )


def enquiry(start, conference=None, *, target=None, not_required="false"):
    return element(
        "Section47",
        element("S47ActualStartDate", start),
        element("InitialCPCtarget", target),
        element("DateOfInitialCPC", conference),
        element("ICPCnotRequired", not_required),
    )


def details(*inside, referral="2020-01-06", closure=None, reason=None, conference=None, no_action=0):
    return element(
        "CINdetails",
        element("CINreferralDate", referral),
        element("ReferralSource", "1A"),
        element("CINclosureDate", closure),
        element("ReasonForClosure", reason),
        element("DateOfInitialCPC", conference),
        *(each for each in inside if "<Section47>" in each),
        element("ReferralNFA", no_action),
        *(each for each in inside if "<Section47>" not in each),
    )


def child(identifier, *inside, born="2015-03-27", expected=None, sex="M", gender=None, died=None):
    return element(
        "Child",
        element(
            "ChildIdentifiers",
            element("LAchildID", identifier),
            element("PersonBirthDate", born),
            element("ExpectedPersonBirthDate", expected),
            element("Sex", sex),
            element("GenderCurrent", gender),
            element("PersonDeathDate", died),
        ),
        element("ChildCharacteristics", element("Ethnicity", "WBRI")),
        *inside,
    )


def header(year=2024, reference="", authority="383", collection="CIN"):
    return element(
        "Header",
        element(
            "CollectionDetails",
            element("Collection", collection),
            element("Year", year),
            element("ReferenceDate", reference or (f"{year}-03-31" if reference == "" else None)),
        ),
        element("Source", element("SourceLevel", "L"), element("LEA", authority)),
    )


def census(*children, top=None, declaration="", **options):
    """The text of a file: the reporting year to 31 March of ``year``."""
    inside = element("Children", *children) if children else "\n<Children/>"
    return f"{declaration}<Message>{header(**options) if top is None else top}{inside}\n</Message>"


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path
