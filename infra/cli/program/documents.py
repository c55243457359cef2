"""What is asked of the graph. The terms come back as `saveProgramDraft` takes them."""

TERMS = """
fragment Lines on ProgramLines { items categories notItems notCategories launchedWithinDays }
fragment Cap on ProgramCap { limit window unit }
fragment Need on ProgramNeed { metric atLeast }
fragment Span on ProgramSpan { days months }
fragment Terms on ProgramTerms {
  earning {
    rules {
      code
      effect {
        rate { points perMinor stepMinor } perVisit { points } perPiece { points } factor { permille }
        fixed { points forEachPiece }
      }
      lines { ...Lines }
      where {
        channels stores partners paymentKinds levels slots { weekdays fromMinute untilMinute }
        firstDay lastDay minSpendMinor condition
      }
      caps { ...Cap }
      currency
    }
    rounding stage per stacking excluded { ...Lines } excludedPaymentKinds minSpendMinor taxCounts tipCounts
    caps { ...Cap }
  }
  tiers {
    levels {
      code needs { ...Need } anyOf keeps { ...Need } earnPermille extends { ...Span } benefits { kind code }
    }
    window { kind months } lasts { kind count graceDays } starts falls crossing countsAnew
  }
  expiry {
    life { ...Span } starts roundsTo cycles { lastDay { month day } expires { month day } } idle { ...Span } activeBy
  }
  release { days onAction }
  remindDays takeBack refundBasis adjustmentLimit referral { referrerPoints referredPoints mostAMonth }
}"""

LIVE = "{ program { live { terms { ...Terms } } } }" + TERMS
VERSION = "query ($version: Int!) { programVersion(version: $version) { terms { ...Terms } } }" + TERMS
DRAFT = "query ($name: String!) { programDraft(name: $name) { terms { ...Terms } } }" + TERMS
DRAFTS = "{ program { drafts { name revision } } }"

SAVE = """mutation ($input: SaveProgramDraftInput!) {
  saveProgramDraft(input: $input) { draft { name revision } userErrors { code field message } }
}"""

PUBLISH = """mutation ($input: PublishProgramDraftInput!) {
  publishProgramDraft(input: $input) { version { version effectiveFrom } userErrors { code field message } }
}"""

DIFF = """query ($name: String!) {
  programDiff(name: $name) { liveVersion revision changes { path before after } }
}"""

DRY_RUN = """query ($name: String!, $month: String!) {
  programDryRun(name: $name, month: $month) {
    month revision receipts spendMinor pointsBooked pointsByDraft bookedPer100 byDraftPer100 receiptsWithoutFacts
    rules { rule currency booked byDraft }
  }
}"""
